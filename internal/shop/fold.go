package shop

import (
	"strings"
	"unicode"
)

// foldTable spells Latin letters with marks by their plain letters. Pairs: the plain spelling, then the letters it is for.
var foldTable = buildFold(
	"a", "àáâãäåāăąǎ", "ae", "æ", "c", "çćĉċč", "d", "ďđð", "e", "èéêëēĕėęěǝ", "g", "ĝğġģ", "h", "ĥħ",
	"i", "ìíîïĩīĭįı", "j", "ĵ", "k", "ķ", "l", "ĺļľŀł", "n", "ñńņňŉŋ", "o", "òóôõöøōŏő", "oe", "œ",
	"r", "ŕŗř", "s", "śŝşšș", "ss", "ß", "t", "ţťŧț", "th", "þ", "u", "ùúûüũūŭůűų", "w", "ŵ", "y", "ýÿŷ", "z", "źżž",
)

func buildFold(pairs ...string) map[rune]string {
	m := make(map[rune]string)
	for i := 0; i < len(pairs); i += 2 {
		for _, r := range pairs[i+1] {
			m[r] = pairs[i]
		}
	}
	return m
}

// Fold makes texts comparable as a shopper types them: lower case, Latin letters without their marks. Other scripts
// are only lower-cased.
func Fold(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		if r < unicode.MaxASCII {
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			b.WriteByte(byte(r))
			continue
		}
		r = unicode.ToLower(r)
		if plain, ok := foldTable[r]; ok {
			b.WriteString(plain)
		} else if !unicode.Is(unicode.Mn, r) { // a combining mark: the letter before it is what counts
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}

// maxSlug bounds derived slugs, in bytes.
const maxSlug = 80

// Slugify derives the readable part of a product's address from its name: a-z, 0-9 and single hyphens, at most 80 bytes.
// Names without any such letter give "product".
func Slugify(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range Fold(name) {
		switch {
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			gap = false
			b.WriteByte(byte(r))
		case r == '\'' || r == '’': // men's → mens
		default:
			gap = true
		}
		if b.Len() >= maxSlug {
			break
		}
	}
	if b.Len() == 0 {
		return "product"
	}
	return b.String()
}
