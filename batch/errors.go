package batch

import (
	"errors"
	"fmt"
)

var (
	// ErrFull means that the key's queue had no room.
	ErrFull = errors.New("batch: queue full")
	// ErrClosed means that the Batcher takes no more, or ended before the request was run.
	ErrClosed = errors.New("batch: closed")
	// ErrUnknown wraps the failure of a batch that may have taken effect. Ask what became of it, by a key of its own,
	// before doing it again.
	ErrUnknown = errors.New("batch: outcome unknown")

	errExited = errors.New("batch: Run ended its goroutine")
)

// PanicError is a panic of Run.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("batch: Run panicked: %v\n%s", e.Value, e.Stack)
}

// Unwrap is the panic's value when it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// wrongCount says that Run broke its contract.
type wrongCount struct{ items, results int }

func (e *wrongCount) Error() string {
	return fmt.Sprintf("batch: Run returned %d results for %d items", e.results, e.items)
}
