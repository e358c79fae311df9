package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Registry holds faults by name. The zero value is empty; it is safe for concurrent use.
type Registry struct {
	mu     sync.Mutex
	faults []Fault // in the order in which they were added
}

// Add adds faults; one of a name that is there already, or that lacks name or plan, is a mistake of the program and panics.
func (r *Registry) Add(faults ...Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range faults {
		if f.Name == "" || f.Plan == nil {
			panic("chaos: a fault needs a name and a plan: " + f.Name)
		}
		if r.find(f.Name) >= 0 {
			panic("chaos: two faults are called " + f.Name)
		}
		r.faults = append(r.faults, f)
	}
}

func (r *Registry) find(name string) int {
	return slices.IndexFunc(r.faults, func(f Fault) bool { return f.Name == name })
}

// Get finds a fault by name, or says which there are.
func (r *Registry) Get(name string) (Fault, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.find(name)
	if i < 0 {
		names := make([]string, len(r.faults))
		for i, f := range r.faults {
			names[i] = f.Name
		}
		return Fault{}, fmt.Errorf("%w: %q; there are %s", ErrUnknown, name, strings.Join(names, ", "))
	}
	return r.faults[i], nil
}

// Info describes a fault to people and programs.
type Info struct {
	Name      string  `json:"name"`
	About     string  `json:"about"`
	Blast     string  `json:"blast_radius"`
	Params    []Param `json:"params"`
	Limit     float64 `json:"limit_s"`
	Available bool    `json:"available"`
	Reason    string  `json:"reason,omitempty"` // why it is not
}

// List describes all faults, in the order in which they were added.
func (r *Registry) List(ctx context.Context) []Info {
	r.mu.Lock()
	faults := slices.Clone(r.faults)
	r.mu.Unlock()
	list := make([]Info, len(faults))
	for i, f := range faults {
		list[i] = Info{Name: f.Name, About: f.About, Blast: f.Blast, Params: append([]Param{}, f.Params...), Limit: f.limit(0).Seconds(), Available: true}
		if err := f.available(ctx); err != nil {
			list[i].Available, list[i].Reason = false, err.Error()
		}
	}
	return list
}

func (f *Fault) available(ctx context.Context) error {
	if f.Available == nil {
		return nil
	}
	return f.Available(ctx)
}
