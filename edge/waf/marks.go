package waf

import (
	"regexp/syntax"
	"unicode/utf8"
)

// marks is a set of punctuation: bytes that are rare in honest text.
type marks [utf8.RuneSelf]bool

// isMark tells punctuation that may be in marks. What is common in names, addresses and prose would hardly ever spare a
// match.
func isMark(r rune) bool {
	switch {
	case r >= 0x7f || r == ' ' || r == '.' || r == ',' || r == '-' || r == '\'':
		return false
	case '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z':
		return false
	}
	return true
}

// marksOf finds punctuation of which something is in everything that re matches; nil if nothing is known.
func marksOf(re *syntax.Regexp) *marks { return marksIn(re.Simplify()) }

func marksIn(re *syntax.Regexp) *marks {
	switch re.Op {
	case syntax.OpLiteral:
		var best *marks
		for _, r := range re.Rune {
			if isMark(r) {
				best = &marks{}
				best[r] = true
			}
		}
		return best
	case syntax.OpCharClass:
		return marksOfClass(re.Rune)
	case syntax.OpCapture, syntax.OpPlus:
		return marksIn(re.Sub[0])
	case syntax.OpConcat:
		var best *marks
		for _, sub := range re.Sub {
			if m := marksIn(sub); m != nil && (best == nil || m.size() < best.size()) {
				best = m
			}
		}
		return best
	case syntax.OpAlternate:
		all := &marks{}
		for _, sub := range re.Sub {
			m := marksIn(sub)
			if m == nil {
				return nil
			}
			for c := range m {
				all[c] = all[c] || m[c]
			}
		}
		return all
	}
	return nil
}

func marksOfClass(ranges []rune) *marks {
	m := &marks{}
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if !isMark(r) {
				return nil
			}
			m[r] = true
		}
	}
	return m
}

func (m *marks) size() (n int) {
	for _, is := range m {
		if is {
			n++
		}
	}
	return n
}

// in tells whether any of the marks is in a text.
func (m *marks) in(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < utf8.RuneSelf && m[c] {
			return true
		}
	}
	return false
}
