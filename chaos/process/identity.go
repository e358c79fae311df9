package process

import (
	"time"

	"github.com/stampede-shop/stampede/chaos/internal/ident"
)

// Identity names one process for good: its pid, and when the process that had this pid was started.
type Identity = ident.Identity

// ErrGone says that a process has ended, whoever has its pid now.
var ErrGone = ident.ErrGone

// Of looks a running process up; false when there is none, or it cannot be told apart.
func Of(pid int) (Identity, bool) { return ident.Of(pid) }

// look is how often is looked for what nobody tells.
const look = 20 * time.Millisecond
