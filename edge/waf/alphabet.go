package waf

import (
	"regexp/syntax"
	"strings"
	"unicode"
)

// plainByte tells the alphabet of plain text: what names, words and numbers are written with.
func plainByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == ' ' || c == '_' || c == '-' || strings.IndexByte(".,'@+:/", c) >= 0
}

func isPlain(s string) bool {
	for i := range len(s) {
		if !plainByte(s[i]) {
			return false
		}
	}
	return true
}

// closed are the transformations that make plain text of plain text.
var closed = map[string]bool{
	"none": true, "lowercase": true, "urlDecode": true, "urlDecodeUni": true, "htmlEntityDecode": true, "jsDecode": true,
	"cssDecode": true, "escapeSeqDecode": true, "removeNulls": true, "compressWhitespace": true, "removeWhitespace": true,
	"replaceComments": true, "removeCommentsChar": true, "normalizePath": true, "normalizePathWin": true, "cmdLine": true, "utf8toUnicode": true, "trim": true,
}

// staysPlain tells whether a rule sees plain text where there is plain text.
func staysPlain(r rule) bool {
	for _, t := range r.values("t") {
		if !closed[t] {
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
		if p = strings.TrimSpace(p); p != "" && p[0] != '#' && isPlain(p) {
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
	if re = narrowed(re); re.Op == syntax.OpNoMatch {
		return "", false
	}
	return re.Simplify().String(), true
}

var nothing = &syntax.Regexp{Op: syntax.OpNoMatch}

func narrowed(re *syntax.Regexp) *syntax.Regexp {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if !takesPlain(r, re.Flags&syntax.FoldCase != 0) {
				return nothing
			}
		}
		return re
	case syntax.OpCharClass:
		return plainClass(func(c rune) bool { return inRanges(re.Rune, c) })
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return plainClass(func(rune) bool { return true })
	case syntax.OpConcat, syntax.OpAlternate, syntax.OpCapture, syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return narrowedBranch(re)
	}
	return re // assertions and the empty expression
}

// narrowedBranch narrows an expression that is made of others.
func narrowedBranch(re *syntax.Regexp) *syntax.Regexp {
	out := *re
	out.Sub = nil
	for _, sub := range re.Sub {
		s := narrowed(sub)
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

// plainClass is the class of the plain characters that in takes.
func plainClass(in func(rune) bool) *syntax.Regexp {
	class := &syntax.Regexp{Op: syntax.OpCharClass}
	for c := rune(0); c < 0x80; c++ {
		if plainByte(byte(c)) && in(c) {
			class.Rune = append(class.Rune, c, c)
		}
	}
	if class.Rune == nil {
		return nothing
	}
	return class
}

func inRanges(ranges []rune, c rune) bool {
	for i := 0; i+1 < len(ranges); i += 2 {
		if ranges[i] <= c && c <= ranges[i+1] {
			return true
		}
	}
	return false
}

// takesPlain tells whether some plain character matches a literal one.
func takesPlain(r rune, fold bool) bool {
	if r < 0x80 && plainByte(byte(r)) {
		return true
	}
	for f := unicode.SimpleFold(r); fold && f != r; f = unicode.SimpleFold(f) {
		if f < 0x80 && plainByte(byte(f)) {
			return true
		}
	}
	return false
}
