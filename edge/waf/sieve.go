package waf

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/corazawaf/coraza/v3/experimental/plugins"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
)

// sieveOperator is the engine's rx with a sieve before it: most expressions of the rule set need some word, and a text
// that has none of an expression's words need not be matched against it. The engine has a filter of its own, but that one
// overlooks attacks (932311-7 and 942220-2 of the rule set's tests).
const sieveOperator = "stampedeRx"

// registerSieve makes the operator known to the engine, once.
var registerSieve = sync.OnceFunc(func() { plugins.RegisterOperator(sieveOperator, newSieved) })

// withSieve has a rule file use the sieve for all expressions but those that match single bytes.
func withSieve(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if !matchesBytes(line) {
			lines[i] = strings.Replace(strings.Replace(line, ` "@rx `, ` "@`+sieveOperator+" ", 1), ` "!@rx `, ` "!@`+sieveOperator+" ", 1)
		}
	}
	return strings.Join(lines, "\n")
}

// sieved is an expression that is tried only on what passes its sieves.
type sieved struct {
	re     *regexp.Regexp
	never  bool   // nothing without a dollar sign can match
	marks  *marks // punctuation of which a match has some; nil: unknown
	any    *sieve // for any text
	common *sieve // for text without a dollar sign: the expressions for commands allow variables between all letters
}

func newSieved(o plugintypes.OperatorOptions) (plugintypes.Operator, error) {
	made, err := memoized(o.Memoizer, sieveOperator+":"+o.Arguments, func() (any, error) {
		expr := "(?sm)" + o.Arguments // as the engine reads it
		re, err := regexp.Compile(expr)
		if err != nil {
			return nil, err
		}
		tree, err := syntax.Parse(expr, syntax.Perl)
		if err != nil {
			return nil, err
		}
		s := &sieved{re: re, marks: marksOf(tree), any: newSieve(neededBy(tree))}
		narrow := noDollar.narrow(tree)
		if s.never = narrow.Op == syntax.OpNoMatch; !s.never {
			s.common = newSieve(neededBy(narrow))
		}
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return made.(*sieved), nil //nolint:forcetypeassert // made above
}

// noDollar is everything but the dollar sign.
var noDollar = alphabet{
	takes: func(r rune, _ bool) bool { return r != '$' },
	class: func(ranges []rune) *syntax.Regexp {
		class := &syntax.Regexp{Op: syntax.OpCharClass}
		for i := 0; i+1 < len(ranges); i += 2 {
			for _, part := range [][2]rune{{ranges[i], min(ranges[i+1], '$'-1)}, {max(ranges[i], '$'+1), ranges[i+1]}} {
				if part[0] <= part[1] {
					class.Rune = append(class.Rune, part[0], part[1])
				}
			}
		}
		if class.Rune == nil {
			return nothing
		}
		return class
	},
}

func memoized(m plugintypes.Memoizer, key string, f func() (any, error)) (any, error) {
	if m == nil {
		return f()
	}
	return m.Do(key, f)
}

// mayMatch tells whether a text passes the sieves.
func (s *sieved) mayMatch(text string) bool {
	if s.marks != nil && !s.marks.in(text) {
		return false
	}
	through := s.any
	if !strings.Contains(text, "$") {
		if s.never {
			return false
		}
		through = s.common
	}
	return through == nil || through.passes(text)
}

// Evaluate implements plugintypes.Operator.
func (s *sieved) Evaluate(tx plugintypes.TransactionState, value string) bool {
	if !s.mayMatch(value) {
		return false
	}
	if !tx.Capturing() {
		return s.re.MatchString(value)
	}
	match := s.re.FindStringSubmatchIndex(value)
	for i := 0; i < len(match)/2 && i < 9; i++ {
		group := ""
		if match[2*i] >= 0 {
			group = value[match[2*i]:match[2*i+1]]
		}
		tx.CaptureField(i, group)
	}
	return match != nil
}

// sieve looks for any of some texts at once: by a bitmap of their first bytes, then in full.
type sieve struct {
	size  int // how many of the first bytes count, 2 to 4
	bits  [sieveBits / 64]uint64
	texts map[uint32][]string // by their first bytes
}

const sieveBits = 1 << 12

// newSieve makes a sieve of texts as neededBy lists them; of none, nil.
func newSieve(texts []string) *sieve {
	if len(texts) == 0 {
		return nil
	}
	s := &sieve{size: min(shortest(texts), 4), texts: map[uint32][]string{}}
	for _, t := range texts {
		first := uint32(0)
		for i := range s.size {
			first |= uint32(t[i]) << (8 * i)
		}
		s.texts[first] = append(s.texts[first], t)
		h := hashWord(first)
		s.bits[h/64] |= 1 << (h % 64)
	}
	return s
}

func hashWord(w uint32) uint32 { return w * 0x9e3779b1 >> 20 }

// passes tells whether a text has, squeezed and in lower case, any of the sieve's. It does not allocate for texts up to 512
// bytes.
func (s *sieve) passes(text string) bool {
	var space [512]byte
	squeezed, whole := squeeze(space[:0], text)
	if !whole {
		return true
	}
	word := uint32(0)
	for i, c := range squeezed {
		word = word>>8 | uint32(c)<<(8*(s.size-1))
		if i+1 < s.size {
			continue
		}
		if h := hashWord(word); s.bits[h/64]&(1<<(h%64)) != 0 && s.at(squeezed[i+1-s.size:], word) {
			return true
		}
	}
	return false
}

// at tells whether one of the texts begins here.
func (s *sieve) at(here []byte, first uint32) bool {
	return slices.ContainsFunc(s.texts[first], func(t string) bool { return len(t) <= len(here) && string(here[:len(t)]) == t })
}

// squeeze appends text in lower case (of ASCII) without what is squeezed out. whole is false where characters are that an
// expression may take for ASCII letters.
func squeeze(out []byte, text string) (_ []byte, whole bool) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c >= utf8.RuneSelf:
			if strings.HasPrefix(text[i:], string(kelvin)) || strings.HasPrefix(text[i:], string(longS)) {
				return out, false
			}
		case squeezed(rune(c)):
			continue
		}
		out = append(out, lowerByte(c))
	}
	return out, true
}
