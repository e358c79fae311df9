package waf

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// plainByte tells the ASCII part of the alphabet of plain text: what names, words and numbers are written with.
func plainByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == ' ' || c == '_' || c == '-' || strings.IndexByte(".,'@+:/", c) >= 0
}

// plainLetter tells the rest of it: the letters of Latin-1 and Latin Extended-A (French, German, Polish, Turkish …), dashes
// and curly apostrophes. Of other characters the engine's utf8toUnicode with urlDecodeUni makes ASCII that is not plain:
// of U+0227 an apostrophe is harmless, of U+023C it is a less-than sign.
func plainLetter(r rune) bool {
	switch r {
	case 0x13f: // becomes a question mark
		return false
	case '–', '—', '‘', '’':
		return true
	}
	return 0xc0 <= r && r <= 0x17e
}

// isPlain tells plain text.
func isPlain(s string) bool {
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			if !plainByte(s[i]) {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if !plainLetter(r) {
			return false
		}
		i += size
	}
	return true
}

// isASCII tells text without letters beyond ASCII.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// beyondASCII is, for expressions, what can stand in plain text beyond ASCII: letters, and what a byte is read as that
// transformations leave of one. The ranges begin and end with characters that print as themselves, as an escape would have
// the engine match single bytes.
var beyondASCII = [][2]rune{{'¡', 'ſ'}, {'–', '’'}, {utf8.RuneError, utf8.RuneError}}

// closed are the transformations that make plain text of plain text.
var closed = map[string]bool{
	"none": true, "lowercase": true, "urlDecode": true, "urlDecodeUni": true, "htmlEntityDecode": true, "jsDecode": true,
	"cssDecode": true, "escapeSeqDecode": true, "removeNulls": true, "compressWhitespace": true, "removeWhitespace": true,
	"replaceComments": true, "removeCommentsChar": true, "normalizePath": true, "normalizePathWin": true, "cmdLine": true, "utf8toUnicode": true, "trim": true,
}

// staysPlain tells whether a rule sees plain text where there is plain text. What utf8toUnicode makes (%u00e9) is none
// until urlDecodeUni, next to it, has made letters or single bytes of it again; with multiMatch the rule sees it.
func staysPlain(r rule) bool {
	steps := r.values("t")
	for i, t := range steps {
		if !closed[t] || t == "utf8toUnicode" && (i+1 == len(steps) || steps[i+1] != "urlDecodeUni" || slices.Contains(r.actions, "multiMatch")) {
			return false
		}
	}
	return true
}

// sparesPlain tells whether a rule can be proven never to match plain text. It errs towards no.
func sparesPlain(r rule, read func(name string) ([]byte, error)) bool {
	if r.negated || !staysPlain(r) {
		return false
	}
	switch r.operator {
	case "rx":
		_, ok := onPlain(r.argument)
		return !ok
	case "pm":
		return noPlainPhrase(strings.Fields(r.argument))
	case "pmFromFile", "pmf":
		data, err := read(r.argument)
		return err == nil && noPlainPhrase(strings.Split(string(data), "\n"))
	}
	return false
}

// noPlainPhrase tells whether every phrase has something that is not plain: text without it cannot contain the phrase.
func noPlainPhrase(phrases []string) bool {
	for _, p := range phrases {
		if p = strings.TrimSpace(p); p != "" && p[0] != '#' && !strings.ContainsFunc(p, func(r rune) bool { return r < utf8.RuneSelf && !plainByte(byte(r)) }) {
			return false
		}
	}
	return true
}

// onPlain narrows an expression down to plain text: characters that cannot occur are taken out, with all that hangs
// on them. For plain text the result matches exactly where expr does, and is often much smaller. ok is false if
// nothing is left: no plain text can match.
func onPlain(expr string) (narrow string, ok bool) {
	re, err := syntax.Parse("(?sm)"+expr, syntax.Perl) // as the engine reads it
	if err != nil {
		return expr, true
	}
	if re = plain.narrow(re); re.Op == syntax.OpNoMatch {
		return "", false
	}
	narrow = re.Simplify().String()
	if matchesBytes(expr) || matchesBytes(narrow) {
		return expr, true
	}
	return narrow, true
}

// matchesBytes tells, rather too often, an expression that the engine matches against single bytes because it has
// escapes such as \xbc: one that narrowing must not make of another, nor change otherwise.
func matchesBytes(expr string) bool {
	for rest := expr; ; {
		_, after, found := strings.Cut(rest, `\x`)
		if !found {
			return false
		}
		if after == "" || after[0] == '{' || after[0] >= '8' {
			return true
		}
		rest = after
	}
}

var nothing = &syntax.Regexp{Op: syntax.OpNoMatch}

// alphabet is what an expression is narrowed down to.
type alphabet struct {
	takes func(r rune, fold bool) bool       // whether a character of it may match a literal one, in any case if fold is set
	class func(ranges []rune) *syntax.Regexp // those of its characters that are in ranges
}

var plain = alphabet{takesPlain, plainClass}

func (a alphabet) narrow(re *syntax.Regexp) *syntax.Regexp {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if !a.takes(r, re.Flags&syntax.FoldCase != 0) {
				return nothing
			}
		}
		return re
	case syntax.OpCharClass:
		return a.class(re.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return a.class([]rune{0, unicode.MaxRune})
	case syntax.OpConcat, syntax.OpAlternate, syntax.OpCapture, syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return a.branch(re)
	}
	return re // assertions and the empty expression
}

// branch narrows an expression that is made of others.
func (a alphabet) branch(re *syntax.Regexp) *syntax.Regexp {
	out := *re
	out.Sub = nil
	for _, sub := range re.Sub {
		s := a.narrow(sub)
		if s.Op == syntax.OpNoMatch {
			switch re.Op {
			case syntax.OpAlternate:
				continue
			case syntax.OpStar, syntax.OpQuest:
				return &syntax.Regexp{Op: syntax.OpEmptyMatch}
			case syntax.OpRepeat:
				if re.Min == 0 {
					return &syntax.Regexp{Op: syntax.OpEmptyMatch}
				}
			}
			return nothing
		}
		out.Sub = append(out.Sub, s)
	}
	if len(out.Sub) == 0 {
		return nothing
	}
	return &out
}

// plainClass is the class of those characters of plain text that are in ranges.
func plainClass(ranges []rune) *syntax.Regexp {
	class := &syntax.Regexp{Op: syntax.OpCharClass}
	for i := 0; i+1 < len(ranges); i += 2 {
		low, high := ranges[i], ranges[i+1]
		for c := low; c <= min(high, utf8.RuneSelf-1); c++ {
			if plainByte(byte(c)) {
				class.Rune = append(class.Rune, c, c)
			}
		}
		for _, some := range beyondASCII {
			if from, to := max(low, some[0]), min(high, some[1]); from <= to {
				class.Rune = append(class.Rune, from, to)
			}
		}
	}
	if class.Rune == nil {
		return nothing
	}
	return class
}

// takesPlain tells whether some character of plain text may match a literal one.
func takesPlain(r rune, fold bool) bool {
	if r >= utf8.RuneSelf || plainByte(byte(r)) {
		return true
	}
	for f := unicode.SimpleFold(r); fold && f != r; f = unicode.SimpleFold(f) {
		if f >= utf8.RuneSelf || plainByte(byte(f)) {
			return true
		}
	}
	return false
}
