//go:build !unix

package loadsim

import "time"

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }
