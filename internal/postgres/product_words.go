package postgres

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Bounds of what is indexed of one product, and of one word in bytes.
const (
	maxProductWords = 250
	maxWord         = 40
)

// wordList maps each word of a product to the weight of the best place it stands in.
type wordList map[string]byte

// productWords finds the words of a product: weight A the name, B the brand, C the category, D the description.
// Very common English words count only outside of descriptions.
func productWords(p shop.NewProduct) wordList {
	words := make(wordList, 64)
	add := func(text string, weight byte) {
		eachWord(text, true, func(w string) bool {
			if _, known := words[w]; !known && (weight != 'D' || !stopWords[w]) {
				words[w] = weight
			}
			return len(words) < maxProductWords
		})
	}
	add(p.Name, 'A')
	add(p.Brand, 'B')
	add(p.Category, 'C')
	add(p.Description, 'D')
	return words
}

// vector is the list as the text form of a tsvector. Every word gets the same position: weights need one, and nothing
// asks for phrases.
func (l wordList) vector() string {
	b := make([]byte, 0, 14*len(l))
	for w, weight := range l {
		b = append(b, '\'')
		b = append(b, w...)
		b = append(b, "':1"...)
		if weight != 'D' {
			b = append(b, weight)
		}
		b = append(b, ' ')
	}
	return string(b)
}

func (l wordList) sorted() []string {
	words := make([]string, 0, len(l))
	for w := range l {
		words = append(words, w)
	}
	slices.Sort(words)
	return words
}

// eachWord yields the folded and stemmed words of text until yield returns false. A word is a run of letters and digits
// (and a point between digits). Apostrophes and ampersands inside vanish: men's → men, AT&T → att. With joined, words
// around a hyphen are yielded together as well: wi-fi → wi, fi, wifi. Words never hold quotes, backslashes or spaces.
func eachWord(text string, joined bool, yield func(string) bool) {
	text = shop.Fold(text)
	var word, before []byte // before: the part in front of a hyphen
	flush := func() bool {
		if len(word) == 0 {
			before = before[:0]
			return true
		}
		more := yield(stem(string(word)))
		if more && joined && len(before) > 0 && len(before)+len(word) <= maxWord {
			more = yield(stem(string(before) + string(word)))
		}
		return more
	}
	for i, r := range text {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if len(word)+utf8.RuneLen(r) <= maxWord {
				word = utf8.AppendRune(word, r)
			}
		case len(word) > 0 && inside(text, i, r):
			if r == '.' {
				word = append(word, '.')
			}
		default:
			if !flush() {
				return
			}
			before = before[:0]
			if r == '-' {
				before = append(before, word...)
			}
			word = word[:0]
		}
	}
	flush()
}

// inside tells whether the mark r at text[i] belongs to the word around it.
func inside(text string, i int, r rune) bool {
	next, _ := utf8.DecodeRuneInString(text[i+utf8.RuneLen(r):])
	switch r {
	case '\'', '’', '&':
		return unicode.IsLetter(next)
	case '.':
		return '0' <= next && next <= '9' && i > 0 && '0' <= text[i-1] && text[i-1] <= '9'
	}
	return false
}

// stem takes the plural off an English word. Products and queries pass through it alike, so that it need not be right
// about a word, only the same.
func stem(w string) string {
	n := len(w)
	if n < 4 || w[n-1] != 's' || w[n-2] >= '0' && w[n-2] <= '9' {
		return w
	}
	switch {
	case n > 4 && strings.HasSuffix(w, "ies"):
		return w[:n-3] + "y"
	case strings.HasSuffix(w, "ss"), strings.HasSuffix(w, "us"), strings.HasSuffix(w, "is"):
		return w
	case strings.HasSuffix(w, "sses"), strings.HasSuffix(w, "xes"), strings.HasSuffix(w, "ches"), strings.HasSuffix(w, "shes"),
		strings.HasSuffix(w, "zzes"):
		return w[:n-2]
	}
	return w[:n-1]
}

// stopWords are too common to tell products apart.
var stopWords = makeSet("a an and are as at be by for from has have in into is it its of on or so that the their this to up was " +
	"will with you your our can all any not no")

func makeSet(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// tsWord is a word as an operand of a tsquery; words hold nothing that needs escaping but the quotes around them.
func tsWord(w string, prefix bool) string {
	if prefix {
		return "'" + w + "':*"
	}
	return "'" + w + "'"
}
