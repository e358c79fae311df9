package app

import (
	"sync"
	"time"
)

// viewed is what all viewers of the dashboard are shown of a moment: the processes are asked once, however many look.
type viewed struct {
	mu   sync.Mutex // held while the processes are asked: the other viewers wait for their answer
	made bool
	of   time.Time
	raw  []byte
}

// get is the answer of a moment; make makes it once. The bytes are shared: they must not be changed.
func (v *viewed) get(moment time.Time, make func() ([]byte, error)) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.made && !moment.After(v.of) {
		return v.raw, nil
	}
	raw, err := make()
	if err == nil {
		v.made, v.of, v.raw = true, moment, raw
	}
	return raw, err
}
