package catalog

import "testing"

func TestTidy(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":              "plain",
		"Insignia\u0099 - X": "Insignia™ - X",
		"a\tb\r\nc":          "a b  c",
		"nul\x00 \x07bell":   "nul bell",
		"\u0081gone":         "gone",
		"Ω≈ç√ 🙂":             "Ω≈ç√ 🙂",
	} {
		if got := tidy(in); got != want {
			t.Errorf("tidy(%q) = %q, want %q", in, got, want)
		}
	}
}
