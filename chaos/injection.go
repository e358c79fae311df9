package chaos

import (
	"sync"
	"time"
)

// Request asks for an injection.
type Request struct {
	Fault  string            `json:"fault"`
	Params map[string]string `json:"params,omitempty"`
	For    time.Duration     `json:"for,omitempty"` // 0, or more than the fault's limit, is that limit
}

// Injection is a fault that is in force.
type Injection struct {
	ID     string    `json:"id"`
	Fault  string    `json:"fault"`
	Target string    `json:"target,omitempty"`
	Params Values    `json:"params,omitempty"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`           // it undoes itself then
	Error  string    `json:"error,omitempty"` // why the last try to undo it failed; it is tried again
}

// injection is one from its planning to its end.
type injection struct {
	Injection
	undo Undo
	stop chan struct{} // closed when it is to be undone
	once sync.Once
	done chan struct{} // closed when it is over
}
