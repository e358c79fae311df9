package link

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
)

// Set is the links of a system by name. The zero value is empty. Safe for concurrent use.
type Set struct {
	mu    sync.Mutex
	links []named
}

type named struct {
	name string
	p    *Proxy
}

// ErrNoLink says that no link has a name like that.
var ErrNoLink = errors.New("link: there is no such link")

var errNoLinks = errors.New("no connection of this system goes through a proxy")

// Add puts a proxy into the set, which closes it in the end.
func (s *Set) Add(name string, p *Proxy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = append(s.links, named{name, p})
}

// Names of the links, in the order in which they were added.
func (s *Set) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, len(s.links))
	for i, l := range s.links {
		names[i] = l.name
	}
	return names
}

// Match finds links by a pattern (see [path.Match]), or several separated by commas.
func (s *Set) Match(patterns string) ([]*Proxy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*Proxy
	for _, pattern := range strings.Split(patterns, ",") {
		n := len(found)
		for _, l := range s.links {
			ok, err := path.Match(pattern, l.name)
			if err != nil {
				return nil, fmt.Errorf("%w: %q: %w", ErrNoLink, pattern, err)
			}
			if ok && !slices.Contains(found, l.p) {
				found = append(found, l.p)
			}
		}
		if len(found) == n {
			return nil, fmt.Errorf("%w: %q; %s", ErrNoLink, pattern, s.describe())
		}
	}
	return found, nil
}

func (s *Set) describe() string {
	var names []string
	for _, l := range s.links {
		names = append(names, l.name)
	}
	if len(names) == 0 {
		return "there are none"
	}
	return "there are " + strings.Join(names, ", ")
}

// add puts an effect in force on all links of a pattern, or on none.
func (s *Set) add(patterns string, e Effect) (end func(), err error) {
	proxies, err := s.Match(patterns)
	if err != nil {
		return nil, err
	}
	var ends []func()
	end = func() {
		for _, f := range ends {
			f()
		}
	}
	for _, p := range proxies {
		f, err := p.Add(e)
		if err != nil {
			end()
			return nil, err
		}
		ends = append(ends, f)
	}
	return end, nil
}

// Close closes all links. Safe to call twice.
func (s *Set) Close() error {
	s.mu.Lock()
	links := slices.Clone(s.links)
	s.mu.Unlock()
	var errs []error
	for _, l := range links {
		errs = append(errs, l.p.Close())
	}
	return errors.Join(errs...)
}
