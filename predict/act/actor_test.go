package act

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var began = time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)

var kinds = []string{"hotrow", "cpu", "lag"}

func someSettings(t *rapid.T) (list []Setting) {
	for _, name := range []string{"a", "b", "c"} {
		s := Setting{Name: name, Against: []string{rapid.SampledFrom(kinds).Draw(t, "against")}, Base: math.Trunc(rapid.Float64Range(0, 100).Draw(t, "base")), Deed: rapid.IntRange(0, 3).Draw(t, "deed") == 0}
		if s.Bound = math.Trunc(rapid.Float64Range(0, 100).Draw(t, "bound")); s.Bound == s.Base {
			s.Bound++
		}
		list = append(list, s)
	}
	return list
}

// Whatever is wrong whenever: values stay within bounds, turns keep their distance and have a cause that showed for long enough, nothing is
// taken back before the cause was gone for as long as it has to be, and after Off all is as it was.
func TestActorKeepsItsPromises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := Options{Settings: someSettings(t), Cooldown: time.Duration(rapid.IntRange(1, 90).Draw(t, "cooldown")) * time.Second, Hold: time.Duration(rapid.IntRange(1, 200).Draw(t, "hold")) * time.Second,
			Confirm: rapid.IntRange(1, 6).Draw(t, "confirm"), Confidence: 0.6}
		a, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		w := newWatch(o)
		now := began
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second)
			var causes []Cause
			for _, k := range kinds {
				if rapid.Bool().Draw(t, k) {
					causes = append(causes, Cause{Kind: k, Resource: k + "/x", Title: "it is full", Confidence: rapid.SampledFrom([]float64{0.5, 0.6, 0.9}).Draw(t, "sure")})
				}
			}
			w.see(now, causes)
			for _, turn := range a.Step(now, causes) {
				w.check(t, turn)
				if rapid.IntRange(0, 9).Draw(t, "fails") == 0 {
					a.Failed(turn, errors.New("away"))
					w.now[turn.Setting] = turn.From
				}
			}
		}
		for _, turn := range a.Off(now) {
			w.now[turn.Setting] = turn.To
		}
		for _, s := range o.Settings {
			if w.now[s.Name] != s.Base {
				t.Fatalf("%s is %v after all was switched off, not %v", s.Name, w.now[s.Name], s.Base)
			}
		}
		if got := a.Step(now.Add(time.Hour), []Cause{{Kind: "hotrow", Confidence: 1}, {Kind: "cpu", Confidence: 1}, {Kind: "lag", Confidence: 1}}); got != nil || a.Status().On {
			t.Fatalf("switched off, it turns %+v", got)
		}
	})
}

// watch keeps its own books of what may be done.
type watch struct {
	o     Options
	at    time.Time
	now   map[string]float64
	last  map[string]time.Time
	shown map[string]int // by kind, steps in a row
	seen  map[string]time.Time
}

func newWatch(o Options) *watch {
	w := &watch{o: o, now: map[string]float64{}, last: map[string]time.Time{}, shown: map[string]int{}, seen: map[string]time.Time{}}
	for _, s := range o.Settings {
		w.now[s.Name] = s.Base
	}
	return w
}

func (w *watch) see(now time.Time, causes []Cause) {
	w.at = now
	for _, k := range kinds {
		if slices.ContainsFunc(causes, func(c Cause) bool { return c.Kind == k && c.Confidence >= w.o.Confidence }) {
			w.shown[k]++
			w.seen[k] = now
		} else {
			w.shown[k] = 0
		}
	}
}

func (w *watch) check(t *rapid.T, turn Turn) {
	i := slices.IndexFunc(w.o.Settings, func(s Setting) bool { return s.Name == turn.Setting })
	if i < 0 {
		t.Fatalf("nobody allowed %+v", turn)
	}
	s, kind := w.o.Settings[i], w.o.Settings[i].Against[0]
	low, high := min(s.Base, s.Bound), max(s.Base, s.Bound)
	if turn.To < low || turn.To > high || !s.Deed && turn.From != w.now[s.Name] || turn.Reason == "" {
		t.Fatalf("%+v, of %+v", turn, s)
	}
	if last, ok := w.last[s.Name]; ok && w.at.Sub(last) < w.o.Cooldown {
		t.Fatalf("%+v comes %v after the turn before", turn, w.at.Sub(last))
	}
	if turn.Undo {
		if turn.To != s.Base || s.Deed || w.at.Sub(w.seen[kind]) < w.o.Hold {
			t.Fatalf("%+v is taken back %v after its cause", turn, w.at.Sub(w.seen[kind]))
		}
	} else if w.shown[kind] < w.o.Confirm || !s.Deed && math.Abs(turn.To-s.Bound) >= math.Abs(turn.From-s.Bound) {
		t.Fatalf("%+v, when its cause showed %d times", turn, w.shown[kind])
	}
	w.last[s.Name] = w.at
	if !s.Deed {
		w.now[s.Name] = turn.To
	}
}

// A cause that comes back whenever its remedy is taken back does not make it flap: each time it is kept for longer.
func TestNoFlapping(t *testing.T) {
	t.Parallel()
	a, err := New(Options{Settings: []Setting{{Name: "slots", Against: []string{"hotrow"}, Base: 4, Bound: 12}}, Cooldown: 30 * time.Second, Hold: 2 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	undone := 0
	for s := range 24 * 3600 {
		var causes []Cause
		if a.Status().Settings[0].Now == 4 { // it is full as long as nothing is done
			causes = []Cause{{Kind: "hotrow", Resource: "hotrow/api-1", Title: "full", Confidence: 0.9}}
		}
		for _, turn := range a.Step(began.Add(time.Duration(s)*time.Second), causes) {
			if turn.Undo {
				undone++
			}
		}
	}
	// 2, 4, 8, 16 minutes, and then every 32.
	if undone < 40 || undone > 50 {
		t.Errorf("taken back %d times in a day", undone)
	}
}

// A cause that lasts moves the setting to its bound in steps, and not farther; when it is over, it goes back at once.
func TestStepsAndBack(t *testing.T) {
	t.Parallel()
	a, err := New(Options{Settings: []Setting{{Name: "up", Against: []string{"hotrow"}, Base: 4, Bound: 10}, {Name: "down", Against: []string{"hotrow"}, Base: 1000, Bound: 300}, {Name: "warm", Against: []string{"cold"}, Bound: 500, Deed: true}},
		Cooldown: time.Minute, Hold: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]float64{}
	for s := range 3600 {
		var causes []Cause
		if s < 600 {
			causes = append(causes, Cause{Kind: "hotrow", Resource: "hotrow/api-1", Title: "full", Confidence: 0.9})
		}
		if s < 70 {
			causes = append(causes, Cause{Kind: "cold", Confidence: 0.9, Title: "cold"})
		}
		for _, turn := range a.Step(began.Add(time.Duration(s)*time.Second), causes) {
			got[turn.Setting] = append(got[turn.Setting], turn.To)
		}
	}
	for name, want := range map[string][]float64{"up": {6, 9, 10, 4}, "down": {666, 444, 300, 1000}, "warm": {500, 500}} {
		if !slices.Equal(got[name], want) {
			t.Errorf("%s: %v, not %v", name, got[name], want)
		}
	}
	if st := a.Status(); len(st.Turns) != 10 || st.Settings[0].Now != 4 {
		t.Errorf("%+v", st)
	}
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	good := Setting{Name: "a", Against: []string{"cpu"}, Base: 1, Bound: 2}
	for _, list := range [][]Setting{{{Name: "a", Base: 1, Bound: 2}}, {{Against: []string{"cpu"}, Base: 1, Bound: 2}}, {{Name: "a", Against: []string{"cpu"}, Base: 1, Bound: 1}},
		{{Name: "a", Against: []string{"cpu"}, Base: 1, Bound: math.NaN()}}, {good, good}} {
		if _, err := New(Options{Settings: list}); !errors.Is(err, ErrSetting) {
			t.Errorf("%+v: %v", list, err)
		}
	}
	a, err := New(Options{})
	if err != nil || a.Step(began, []Cause{{Kind: "cpu", Confidence: 1}}) != nil {
		t.Errorf("without settings: %v", err)
	}
}
