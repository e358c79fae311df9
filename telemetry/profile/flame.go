package profile

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// Node is a function in a flame graph: called by the one above it. Value is its own and that of what it called; Base is
// what that was in the profile that it is compared with.
type Node struct {
	Name     string  `json:"name"`
	Value    int64   `json:"value"`
	Base     int64   `json:"base,omitempty"`
	Children []*Node `json:"children,omitempty"`
}

// Graph is a flame graph with what its values are.
type Graph struct {
	Type string `json:"type"` // such as cpu, inuse_space
	Unit string `json:"unit"` // such as nanoseconds (of each second), bytes
	Root *Node  `json:"root"`
}

// least is the share of the whole below which a function is not shown: it would be narrower than a pixel.
const least = 0.0005

// Flame makes a flame graph of the values of a type, "" for the profile's own. With a base that is not nil each function has what it
// had there beside what it has. The widest children come first.
func Flame(p, base *profile.Profile, sampleType string) (Graph, error) {
	root := &Node{Name: "all"}
	at, err := root.addAll(p, sampleType, func(n *Node, v int64) { n.Value += v })
	if err == nil && base != nil {
		_, err = root.addAll(base, sampleType, func(n *Node, v int64) { n.Base += v })
	}
	if err != nil {
		return Graph{}, err
	}
	root.trim(int64(least * float64(max(root.Value, root.Base))))
	return Graph{p.SampleType[at].Type, p.SampleType[at].Unit, root}, nil
}

// addAll adds the samples of p below n, and tells which of their values it took.
func (n *Node) addAll(p *profile.Profile, sampleType string, add func(*Node, int64)) (int, error) {
	at, err := valueIndex(p, sampleType)
	if err != nil {
		return 0, err
	}
	for _, s := range p.Sample {
		v := s.Value[at]
		if v == 0 {
			continue
		}
		at := n
		add(at, v)
		for _, name := range stack(s) {
			at = at.child(name)
			add(at, v)
		}
	}
	return at, nil
}

func valueIndex(p *profile.Profile, sampleType string) (int, error) {
	if sampleType == "" {
		sampleType = p.DefaultSampleType
	}
	if sampleType == "" && len(p.SampleType) > 0 {
		return len(p.SampleType) - 1, nil
	}
	var known []string
	for i, t := range p.SampleType {
		if t.Type == sampleType {
			return i, nil
		}
		known = append(known, t.Type)
	}
	return 0, fmt.Errorf("profile: there is no type %q: one of %s", sampleType, strings.Join(known, ", "))
}

// stack are the functions of a sample from the outermost to the innermost, those that were inlined among them.
func stack(s *profile.Sample) (names []string) {
	for _, l := range slices.Backward(s.Location) {
		if len(l.Line) == 0 {
			names = append(names, fmt.Sprintf("%#x", l.Address))
		}
		for _, line := range slices.Backward(l.Line) {
			names = append(names, line.Function.Name)
		}
	}
	return names
}

func (n *Node) child(name string) *Node {
	i := slices.IndexFunc(n.Children, func(c *Node) bool { return c.Name == name })
	if i < 0 {
		i = len(n.Children)
		n.Children = append(n.Children, &Node{Name: name})
	}
	return n.Children[i]
}

func (n *Node) trim(least int64) {
	n.Children = slices.DeleteFunc(n.Children, func(c *Node) bool { return max(c.Value, c.Base) <= least })
	slices.SortFunc(n.Children, func(a, b *Node) int {
		return cmp.Or(cmp.Compare(max(b.Value, b.Base), max(a.Value, a.Base)), cmp.Compare(a.Name, b.Name))
	})
	for _, c := range n.Children {
		c.trim(least)
	}
}

// Folded writes a line for each stack, "outermost;…;innermost value", as flamegraph.pl and others read it.
func Folded(w io.Writer, p *profile.Profile, sampleType string) error {
	at, err := valueIndex(p, sampleType)
	if err != nil {
		return err
	}
	sums := map[string]int64{}
	for _, s := range p.Sample {
		sums[strings.ReplaceAll(strings.Join(stack(s), ";"), " ", "_")] += s.Value[at]
	}
	lines := make([]string, 0, len(sums))
	for s, v := range sums {
		if v != 0 {
			lines = append(lines, fmt.Sprintf("%s %d\n", s, v))
		}
	}
	slices.Sort(lines)
	for _, l := range lines {
		if _, err := io.WriteString(w, l); err != nil {
			return err
		}
	}
	return nil
}
