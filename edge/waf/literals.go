package waf

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is worked out about an expression: texts of one place in it, and texts it is looked for by.
const (
	maxExact  = 64
	maxNeeded = 4096
	minNeeded = 2 // bytes; shorter texts are everywhere
)

// squeezed tells the characters that are left out before texts are looked for: quotes and the like, with which attacks
// part their words, and white space.
func squeezed(r rune) bool {
	switch r {
	case '\'', '"', '\\', '^', '`', ')', '[', ' ', '\t', '\n', '\v', '\f', '\r':
		return true
	}
	return false
}

// facts are what is known of the texts that an expression matches, squeezed and in lower case.
type facts struct {
	exact  []string // the texts, if they are few; nil if not
	needed []string // at least one of these is in each of the texts; nil if nothing is known
}

var unknown = facts{}

// neededBy lists texts of which at least one is in everything that re matches, squeezed and in lower case (of ASCII). nil
// means that nothing is known.
func neededBy(re *syntax.Regexp) []string { return factsOf(re.Simplify()).asNeeded() }

// asNeeded is the set that serves best as needed.
func (f facts) asNeeded() []string {
	if f.exact == nil {
		return f.needed
	}
	if len(f.exact) == 0 || slices.ContainsFunc(f.exact, func(s string) bool { return len(s) < minNeeded }) {
		return nil
	}
	return f.exact
}

func factsOf(re *syntax.Regexp) facts {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return facts{exact: []string{""}}
	case syntax.OpLiteral:
		return literalFacts(re)
	case syntax.OpCharClass:
		return classFacts(re.Rune)
	case syntax.OpCapture:
		return factsOf(re.Sub[0])
	case syntax.OpConcat:
		return concatFacts(re.Sub)
	case syntax.OpAlternate:
		return alternateFacts(re.Sub)
	case syntax.OpQuest:
		if f := factsOf(re.Sub[0]); f.exact != nil {
			return facts{exact: union(f.exact, []string{""})}
		}
	case syntax.OpStar, syntax.OpPlus:
		f := factsOf(re.Sub[0])
		if len(f.exact) == 1 && f.exact[0] == "" {
			return f
		}
		if re.Op == syntax.OpPlus {
			return facts{needed: f.asNeeded()}
		}
	}
	return unknown
}

func literalFacts(re *syntax.Regexp) facts {
	var b strings.Builder
	for _, r := range re.Rune {
		switch {
		case squeezed(r):
		case r < utf8.RuneSelf:
			b.WriteByte(lowerByte(byte(r)))
		case re.Flags&syntax.FoldCase != 0 || r == utf8.RuneError:
			return unknown
		default:
			b.WriteRune(r)
		}
	}
	return facts{exact: []string{b.String()}}
}

// Characters beyond ASCII that are cases of ASCII letters: a text with one of them is not judged, so that in expressions
// they may stand for k and s.
const (
	kelvin = '\u212a'
	longS  = 'ſ'
)

// classFacts lists a small class of ASCII.
func classFacts(ranges []rune) facts {
	var exact []string
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			c, ok := classText(r)
			if !ok || len(exact) > maxExact {
				return unknown
			}
			if !slices.Contains(exact, c) {
				exact = append(exact, c)
			}
		}
	}
	return facts{exact: exact}
}

func classText(r rune) (text string, ok bool) {
	switch {
	case squeezed(r):
		return "", true
	case r < utf8.RuneSelf || r == kelvin:
		return string(unicode.ToLower(r)), true
	case r == longS:
		return "s", true
	}
	return "", false
}

// concatFacts joins texts of neighbours as far as they stay few, and keeps the best of what each stretch needs.
func concatFacts(subs []*syntax.Regexp) facts {
	stretch, whole := []string{""}, true
	var best []string
	end := func(next []string) {
		best = better(best, facts{exact: stretch}.asNeeded())
		stretch, whole = next, false
	}
	for _, sub := range subs {
		f := factsOf(sub)
		switch {
		case f.exact == nil:
			end([]string{""})
			best = better(best, f.needed)
		case len(stretch)*len(f.exact) <= maxExact:
			stretch = cross(stretch, f.exact)
		default:
			end(f.exact)
		}
	}
	if whole {
		return facts{exact: stretch}
	}
	end(nil)
	return facts{needed: best}
}

// better chooses of two needed sets: the one whose shortest text is longer, then the smaller one.
func better(a, b []string) []string {
	if a == nil || b == nil {
		return slices.Concat(a, b)
	}
	if la, lb := shortest(a), shortest(b); la != lb {
		if la > lb {
			return a
		}
		return b
	}
	if len(a) <= len(b) {
		return a
	}
	return b
}

func shortest(set []string) int {
	n := len(set[0])
	for _, s := range set {
		n = min(n, len(s))
	}
	return n
}

func cross(a, b []string) []string {
	var out []string
	for _, x := range a {
		for _, y := range b {
			out = append(out, x+y)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// alternateFacts: one of the branches matches, so what is needed is something that one of them needs.
func alternateFacts(subs []*syntax.Regexp) facts {
	exact := []string{}
	needed := []string{}
	for _, sub := range subs {
		f := factsOf(sub)
		if exact != nil && f.exact != nil && len(exact)+len(f.exact) <= maxExact {
			exact = union(exact, f.exact)
		} else {
			exact = nil
		}
		n := f.asNeeded()
		if needed != nil && n != nil && len(needed)+len(n) <= maxNeeded {
			needed = union(needed, n)
		} else {
			needed = nil
		}
	}
	return facts{exact: exact, needed: needed}
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
