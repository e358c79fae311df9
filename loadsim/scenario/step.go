package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// What a shopper can do.
const (
	Browse   = "browse"
	View     = "view"
	Stock    = "stock"
	Add      = "add"
	Checkout = "checkout"
	Pause    = "pause"
	Leave    = "leave"
	Wait     = "wait"
	Crawl    = "crawl"
	Get      = "get"
)

var actions = []string{Browse, View, Stock, Add, Checkout, Pause, Leave, Wait, Crawl, Get}

// Which products a step is about.
const (
	OfHot     = "hot"
	OfSeen    = "seen"
	OfPopular = "popular"
)

// Step is one thing a shopper does. Which of the other fields count depends on Do.
type Step struct {
	Do     string `json:"do"`
	Times  Range  `json:"times"`            // browse, view, stock, add, crawl, checkout
	Of     string `json:"of,omitempty"`     // view, stock, add
	Pause  Span   `json:"pause"`            // pause
	Chance Share  `json:"chance,omitempty"` // leave
	Path   string `json:"path,omitempty"`   // get
}

// UnmarshalYAML reads a step: a map whose first key says what to do.
func (s *Step) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode || len(n.Content) < 2 {
		return fmt.Errorf("line %d: a step is like \"browse: 20\"", n.Line)
	}
	s.Do = n.Content[0].Value
	if !slices.Contains(actions, s.Do) {
		return fmt.Errorf("line %d: there is no step %q; there are %s", n.Line, s.Do, strings.Join(actions, ", "))
	}
	value := n.Content[1]
	err := s.argument(value)
	if err != nil {
		return fmt.Errorf("line %d: %s: %w", value.Line, s.Do, err)
	}
	for i := 2; i < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Value != "of" || s.Do != View && s.Do != Stock && s.Do != Add {
			return fmt.Errorf("line %d: %s takes no %q", key.Line, s.Do, key.Value)
		}
		s.Of = n.Content[i+1].Value
	}
	return nil
}

func (s *Step) argument(value *yaml.Node) error {
	switch s.Do {
	case Pause:
		return value.Decode(&s.Pause)
	case Leave:
		return value.Decode(&s.Chance)
	case Get:
		return value.Decode(&s.Path)
	case Wait:
		if value.Value != "doors" {
			return fmt.Errorf("%q cannot be waited for; only doors can", value.Value)
		}
		return nil
	default:
		return value.Decode(&s.Times)
	}
}

func (s Step) check() error {
	switch s.Do {
	case Browse, View, Stock, Add, Checkout, Crawl:
		if s.Times.Min < 0 || s.Times.Max < 1 || s.Times.Max < s.Times.Min || s.Times.Max > 1_000_000 {
			return fmt.Errorf("%s: %d-%d times; it must be a number or a range like 3-8, at most a million", s.Do, s.Times.Min, s.Times.Max)
		}
	case Pause:
		if err := s.Pause.check(); err != nil {
			return fmt.Errorf("pause: %w", err)
		}
	case Leave:
		if s.Chance < 0 || s.Chance > 1 {
			return fmt.Errorf("leave: %v; it must be a share like 30%% or 0.3", s.Chance)
		}
	case Get:
		if !strings.HasPrefix(s.Path, "/") || strings.ContainsAny(s.Path, " \r\n\t") {
			return fmt.Errorf("get: %q; it must be a path like /p/1, escaped", s.Path)
		}
	case Wait:
	default:
		return fmt.Errorf("there is no step %q; there are %s", s.Do, strings.Join(actions, ", "))
	}
	if !slices.Contains([]string{"", OfHot, OfSeen, OfPopular}, s.Of) || s.Do == Add && s.Of != "" && s.Of != OfHot {
		return fmt.Errorf("%s: of: %q is unknown; there are hot, seen and popular, and for add only hot", s.Do, s.Of)
	}
	return nil
}

// NeedsCatalogue says whether products have to be known for this step.
func (s Step) NeedsCatalogue() bool {
	return !slices.Contains([]string{Pause, Leave, Get}, s.Do)
}

// Span is a stretch of time between two lengths, each as likely.
type Span struct{ Min, Max time.Duration }

func (s Span) check() error {
	if s.Min < 0 || s.Max < s.Min {
		return fmt.Errorf("%v-%v; it must be a time like 2s or 1s-3s", s.Min, s.Max)
	}
	return nil
}

// IsZero says whether there is no time to wait.
func (s Span) IsZero() bool { return s.Max <= 0 }
