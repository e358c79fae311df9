package scenario

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestReadyOnes(t *testing.T) {
	t.Parallel()
	if got := strings.Join(Names(), " "); got != "blackfriday browse crawl flashsale journey" {
		t.Errorf("%s", got)
	}
	for _, name := range Names() {
		s, err := Find(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s.Name != name || s.About == "" || s.Load.Curve().Area() == 0 || !s.NeedsCatalogue() {
			t.Errorf("%s: %+v", name, s)
		}
		raw, err := json.Marshal(s)
		var back Scenario
		if err != nil || json.Unmarshal(raw, &back) != nil || !reflect.DeepEqual(s, back) {
			t.Errorf("%s does not survive JSON: %v\n%+v\n%+v", name, err, s, back)
		}
		if text, err := Source(name); err != nil || !strings.Contains(text, "name: "+name) {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
	j, _ := Ready("journey")
	want := []Step{{Do: Browse, Times: Times(20)}, {Do: View, Times: Range{3, 8}}, {Do: Add, Times: Range{1, 5}}, {Do: Checkout, Times: Times(1)}}
	if !reflect.DeepEqual(j.Shoppers[0].Steps, want) {
		t.Errorf("the journey is %+v", j.Shoppers[0].Steps)
	}
}

// The package's own documentation shows a file with everything in it: it must be one.
func TestTheDocumentedFile(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for line := range strings.Lines(string(doc)) {
		if after, ok := strings.CutPrefix(line, "//\t"); ok {
			text.WriteString(after)
		}
	}
	file := filepath.Join(t.TempDir(), "sale.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Find(file)
	if err != nil {
		t.Fatal(err)
	}
	k := s.Shoppers[0]
	if s.Load.Rate != 200 || s.Popularity.Hot != 0.5 || s.Think != (Span{time.Second, 3 * time.Second}) || !k.Forgets() || len(k.Steps) != 10 || k.Steps[1].Of != OfHot || k.Steps[2].Chance != 0.3 {
		t.Errorf("%+v", s)
	}
	if s.Load.Curve().Length() != 2*time.Minute || s.DoorsOpen() != 60*time.Second {
		t.Errorf("stretched to 2m: %v long, doors at %v", s.Load.Curve().Length(), s.DoorsOpen())
	}
}

func TestWrongFilesSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	const shoppers = "\nshoppers: [{steps: [browse: 1]}]"
	for text, want := range map[string]string{
		"":                                       "EOF",
		"nonsense":                               "cannot unmarshal",
		"x: 1" + shoppers:                        "field x not found",
		"name: a":                                "1 to 100 kinds",
		"name: a" + shoppers + "\n---\nname: b":  "more than one document",
		"load: {model: half}" + shoppers:         "open or closed",
		"load: {per: x}" + shoppers:              "request or session",
		"load: {arrivals: x}" + shoppers:         "poisson or even",
		"load: {rate: -1}" + shoppers:            "rate is -1",
		"load: {rate: .nan}" + shoppers:          "rate is NaN",
		"load: {users: 2000000}" + shoppers:      "users is 2000000",
		"load: {duration: -1s}" + shoppers:       "duration is -1s",
		"load: {duration: 5}" + shoppers:         "cannot unmarshal",
		"load: {stages: [{for: 1s}]}" + shoppers: "give a level",
		"load: {stages: [{for: 1s, at: 1, to: 2}]}" + shoppers:                        "give a level",
		"load: {stages: [{for: 1s, from: 1}]}" + shoppers:                             "give a level",
		"load: {stages: [{for: 1s, at: -1}]}" + shoppers:                              "a level is -1",
		"load: {stages: [{for: 1s, at: 0}]}" + shoppers:                               "nobody comes",
		"load: {stages: [{at: 1}]}" + shoppers:                                        "for is 0s",
		"load: {users: 1000000, stages: [{for: 1s, at: 2}]}" + shoppers:               "the peak is 2000000 users",
		"load: {model: open, rate: 1000, stages: [{for: 1s, at: 100000}]}" + shoppers: "the peak is 100000000 a second",
		"load: {stages: [{for: 600h, at: 1}, {for: 600h, at: 1}]}" + shoppers:         "stages last",
		"think: 3s-1s" + shoppers:                                                     "think",
		"think: often" + shoppers:                                                     "no time like",
		"patience: -1s" + shoppers:                                                    "not be negative",
		"retry: {times: 1000}" + shoppers:                                             "retry.times is 1000",
		"popularity: {hot: 200%}" + shoppers:                                          "popularity",
		"popularity: {hot: -3}" + shoppers:                                            "no share",
		"popularity: {zipf: 9}" + shoppers:                                            "zipf is 0 to 5",
		"shoppers: [{steps: []}]":                                                     "ask the shop",
		"shoppers: [{steps: [leave: 1, pause: 1s]}]":                                  "ask the shop",
		"shoppers: [{weight: -1, steps: [browse: 1]}]":                                "weight is -1",
		"shoppers: [{agent: \"a\\nb\", steps: [browse: 1]}]":                          "printable",
		"shoppers: [{steps: [dance: 1]}]":                                             "line 1: there is no step \"dance\"",
		"shoppers: [{steps: [browse: many]}]":                                         "line 1: browse",
		"shoppers: [{steps: [browse: 8-3]}]":                                          "range like 3-8",
		"shoppers: [{steps: [browse]}]":                                               "a step is like",
		"shoppers: [{steps: [{browse: 1, of: hot}]}]":                                 "takes no \"of\"",
		"shoppers: [{steps: [{view: 1, from: hot}]}]":                                 "takes no \"from\"",
		"shoppers: [{steps: [{view: 1, of: gold}]}]":                                  "hot, seen and popular",
		"shoppers: [{steps: [{browse: 1}, {add: 1, of: seen}]}]":                      "hot, seen and popular",
		"shoppers: [{steps: [leave: 130%, browse: 1]}]":                               "a share",
		"shoppers: [{steps: [{leave: 130%}, {browse: 1}]}]":                           "a share",
		"shoppers: [{steps: [get: there]}]":                                           "a path like",
		"shoppers: [{steps: [wait: godot]}]":                                          "only doors",
	} {
		s, err := Parse([]byte(text))
		if !errors.Is(err, ErrScenario) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q; %+v", text, err, want, s)
		}
	}
	if _, err := Find("nosuch"); !errors.Is(err, ErrScenario) || !strings.Contains(err.Error(), "journey") {
		t.Errorf("%v", err)
	}
	if _, err := Find("no/such.yaml"); !errors.Is(err, ErrScenario) {
		t.Errorf("%v", err)
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	l := Scenario{Load: Load{Model: Open, Rate: 10}}.WithDefaults().Load
	for _, c := range []struct {
		profile      string
		length       time.Duration
		peak, median float64
	}{
		{"steady", 30 * time.Second, 10, 10}, {"ramp", time.Minute, 10, 5}, {"spike", 70 * time.Second, 1000, 1000},
		{"steps", 100 * time.Second, 10, 6}, {"soak", 61 * time.Minute, 10, 10},
	} {
		got, err := l.Follow(c.profile, 0)
		curve := got.Curve()
		if err != nil || curve.Length() != c.length || curve.Peak() != c.peak || curve.At(curve.Length()/2) != c.median {
			t.Errorf("%s: %v, %v long, peak %v, %v in the middle", c.profile, err, curve.Length(), curve.Peak(), curve.At(curve.Length()/2))
		}
		got, _ = l.Follow(c.profile, 5*time.Second)
		if got.Curve().Length() != 5*time.Second || got.Curve().Peak() != c.peak {
			t.Errorf("%s in 5s: %v, peak %v", c.profile, got.Curve().Length(), got.Curve().Peak())
		}
	}
	spike, _ := l.Follow("spike", 0)
	if up := spike.Curve().At(30*time.Second) / spike.Curve().At(20*time.Second); up != 100 {
		t.Errorf("ten seconds make it %v times as much", up)
	}
	if _, err := l.Follow("chaos", 0); !errors.Is(err, ErrScenario) {
		t.Errorf("%v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		text, _ := Source(name)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse([]byte(text))
		if err == nil && (s.Load.Curve().Area() <= 0 || len(s.Shoppers) == 0) {
			t.Errorf("a scenario in which nothing happens: %+v", s)
		}
	})
}
