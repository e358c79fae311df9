package diagnosis

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// Sample is what was measured at a moment; see the package for the names.
type Sample struct {
	At     time.Time          `json:"at"`
	Values map[string]float64 `json:"values"`
}

// Options of a [Doctor]; the zero value works.
type Options struct {
	// Window is how many samples are kept. Default 150.
	Window int
	// Confirm is in how many samples of Confirm+1 a sign has to be before it is told. Default 2.
	Confirm int
	// Gone is for how many samples a sign has to be gone before the finding is. Default 3.
	Gone int
}

func (o Options) withDefaults() Options {
	o.Window, o.Confirm, o.Gone = cmp.Or(o.Window, 150), cmp.Or(o.Confirm, 2), cmp.Or(o.Gone, 3)
	return o
}

// past are the last samples, and how a sign looks at them.
type past struct {
	samples []Sample
	window  int
}

func (p *past) add(s Sample) {
	if p.samples = append(p.samples, s); len(p.samples) > 2*p.window {
		p.samples = slices.Delete(p.samples, 0, len(p.samples)-p.window)
	}
}

// last are the values of a name in the last n samples, those that are known, the newest last.
func (p *past) last(name string, n int) []float64 {
	var out []float64
	for _, s := range p.samples[max(0, len(p.samples)-n):] {
		if v, ok := s.Values[name]; ok && v-v == 0 {
			out = append(out, v)
		}
	}
	return out
}

// now is the newest value; false when it is not known.
func (p *past) now(name string) (float64, bool) {
	v := p.last(name, 1)
	if len(v) == 0 {
		return 0, false
	}
	return v[0], true
}

func (p *past) is(name string, want float64) bool {
	v, ok := p.now(name)
	return ok && v == want
}

// ledWithin is for how many samples a server is taken for what it was: what is wrong with a primary costs it its place before it shows.
const ledWithin = 5

// led tells whether a server was a primary in the last samples.
func (p *past) led(node string) bool {
	return slices.Contains(p.last("replica.primary/"+node, ledWithin), 1)
}

// sum is the growth within the last n samples.
func (p *past) sum(name string, n int) (sum float64) {
	for _, v := range p.last(name, n) {
		sum += v
	}
	return sum
}

// instances of a name, in order: what follows its slash.
func (p *past) instances(name string) (out []string) {
	for full := range p.samples[len(p.samples)-1].Values {
		if of, ok := strings.CutPrefix(full, name+"/"); ok {
			out = append(out, of)
		}
	}
	slices.Sort(out)
	return out
}

const (
	baseSkip  = 6   // samples that usual is not taken from: the fault may be in them already
	baseReach = 120 // how far back it reaches
	baseLeast = 5   // samples that it takes at least
)

// usual is the median of f over what came before `before` (the newest, when zero); false when too little is known.
func (p *past) usual(before time.Time, f func(Sample) (float64, bool)) (float64, bool) {
	end := len(p.samples)
	if !before.IsZero() {
		end, _ = slices.BinarySearchFunc(p.samples, before, func(s Sample, t time.Time) int { return s.At.Compare(t) })
	}
	end -= baseSkip
	var v []float64
	for i := max(0, end-baseReach); i < end; i++ {
		if x, ok := f(p.samples[i]); ok && x-x == 0 {
			v = append(v, x)
		}
	}
	if len(v) < baseLeast {
		return 0, false
	}
	slices.Sort(v)
	return v[len(v)/2], true
}

// peak is the largest of the n values up to `skip` samples before `before` (the newest, when zero).
func (p *past) peak(name string, before time.Time, skip, n int) (most float64) {
	end := len(p.samples)
	if !before.IsZero() {
		end, _ = slices.BinarySearchFunc(p.samples, before, func(s Sample, t time.Time) int { return s.At.Compare(t) })
	}
	for i := max(0, end-skip-n); i < end-skip; i++ {
		most = max(most, p.samples[i].Values[name])
	}
	return most
}

// value and per make what usual looks at: a figure, and one by another where there are enough of that.
func value(name string) func(Sample) (float64, bool) {
	return func(s Sample) (float64, bool) { v, ok := s.Values[name]; return v, ok }
}

func per(part, whole string, least float64) func(Sample) (float64, bool) {
	return func(s Sample) (float64, bool) {
		n := s.Values[whole]
		return s.Values[part] / math.Max(n, 1e-9), n >= least
	}
}

// mean is part by whole over the last n samples; false when whole is less than least.
func (p *past) mean(part, whole string, n int, least float64) (float64, bool) {
	of := p.sum(whole, n)
	return p.sum(part, n) / math.Max(of, 1e-9), of >= least
}
