package catalog

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// tidy mends what exports commonly break in a text of one line: a tab or a line end becomes a space, a character of
// Windows-1252 that was taken for Latin-1 (™ as U+0099) becomes what was meant, other control characters are left out.
func tidy(s string) string {
	if !strings.ContainsFunc(s, unicode.IsControl) || !utf8.ValidString(s) { // the latter is refused later, as it is
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case !unicode.IsControl(r):
			return r
		case unicode.IsSpace(r) && r < 0x80:
			return ' '
		case r >= 0x80 && r <= 0x9F:
			if meant := charmap.Windows1252.DecodeByte(byte(r)); meant != unicode.ReplacementChar && !unicode.IsControl(meant) {
				return meant
			}
		}
		return -1
	}, s)
}
