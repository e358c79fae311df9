package postgres

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/internal/postgres/catalogdb"
	"github.com/stampede-shop/stampede/internal/shop"
)

func TestEachWord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                            "",
		"... !!! --- 🎉":               "",
		"Wireless Headphones":         "wireless headphone",
		"AT&T GoPhone - 8GB":          "att gophone 8gb",
		"Men's T-Shirts, size 4.5\"":  "men t shirt tshirt size 4.5",
		"Crème brûlée für Ærøskøbing": "creme brulee fur aeroskobing",
		"batteries boxes glasses bus": "battery box glass bus",
		"Cases & Clips":               "case clip",
		"'; DROP TABLE products; --":  "drop table product",
		"東京 ТЕЛЕФОН":                  "東京 телефон",
		`a\b'c"d%e_f`:                 "a bc d e f",
		"4S 4s S":                     "4s 4s s",
	} {
		var got []string
		eachWord(text, true, func(w string) bool { got = append(got, w); return true })
		if s := strings.Join(got, " "); s != want {
			t.Errorf("eachWord(%q) = %q, want %q", text, s, want)
		}
	}
}

func TestWordsNeedNoQuoting(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		eachWord(text, true, func(w string) bool {
			if w == "" || len(w) > maxWord+8 || strings.ContainsAny(w, "'\\:*&|!()<> #") {
				t.Fatalf("word %q of %q", w, text)
			}
			return true
		})
	})
}

func TestProductWordsWeights(t *testing.T) {
	t.Parallel()
	words := productWords(shop.NewProduct{Name: "Lamp", Brand: "Ikea", Category: "Home/Lighting", Description: "A lamp for the home office"})
	want := map[string]byte{"lamp": 'A', "ikea": 'B', "home": 'C', "lighting": 'C', "office": 'D'}
	for w, weight := range want {
		if words[w] != weight {
			t.Errorf("%s has weight %q, want %q", w, words[w], weight)
		}
	}
	if len(words) != len(want) {
		t.Errorf("words %v", words)
	}
}

func TestQueryWords(t *testing.T) {
	t.Parallel()
	if got := queryWords("the phone and THE case for phones"); !slices.Equal(got, []string{"phone", "case"}) {
		t.Errorf("got %v", got)
	}
	if got := queryWords("The The"); !slices.Equal(got, []string{"the"}) {
		t.Errorf("stop words alone: %v", got)
	}
	if got := queryWords(strings.Repeat("a1 b2 c3 d4 e5 f6 g7 h8 i9 j1 k2 l3 m4 n5 ", 3)); len(got) != maxQueryWords {
		t.Errorf("%d words", len(got))
	}
}

func TestEditDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"abc", "", 3}, {"hedphone", "headphone", 1}, {"keyborad", "keyboard", 1}, {"kitten", "sitting", 3}} {
		if got := editDistance([]rune(c.a), []rune(c.b)); got != c.want {
			t.Errorf("%s → %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// A swap is one edit, undoes itself, and is what oneSwap says it is.
func TestSwaps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-cäß]{0,7}`).Draw(t, "word")
		other := rapid.StringMatching(`[a-cäß]{0,7}`).Draw(t, "other")
		all := swaps(word)
		for _, s := range all {
			if editDistance([]rune(word), []rune(s)) != 1 || !slices.Contains(swaps(s), word) || !oneSwap([]rune(word), []rune(s)) {
				t.Fatalf("%q is a swap of %q", s, word)
			}
		}
		if oneSwap([]rune(word), []rune(other)) != slices.Contains(all, other) {
			t.Fatalf("%q and %q", word, other)
		}
	})
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []catalogdb.SimilarWordsRow{{Word: "headphone", Docs: 50}, {Word: "headphone2", Docs: 90}, {Word: "earphone", Docs: 10}, {Word: "phone", Docs: 99}}
	got := nearest("hedphone", 0, known)
	if len(got) != 1 || got[0].Word != "headphone" {
		t.Errorf("got %v", got)
	}
	if got := nearest("caes", 0, []catalogdb.SimilarWordsRow{{Word: "cart", Docs: 90}, {Word: "cars", Docs: 90}, {Word: "case", Docs: 1}}); len(got) != 1 || got[0].Word != "case" {
		t.Errorf("letters in the wrong order: %v", got)
	}
	if got := nearest("chief", 0, []catalogdb.SimilarWordsRow{{Word: "chair", Docs: 90}}); len(got) != 0 {
		t.Errorf("two edits of five letters: %v", got)
	}
	if got := nearest("galxy", 2, []catalogdb.SimilarWordsRow{{Word: "galaxy", Docs: 30}}); len(got) != 0 {
		t.Errorf("a word that is nearly as frequent is no correction: %v", got)
	}
}

// Ranges must follow the order of what they stand for, or searches by marks would miss products.
func TestMarkNumbersNeverFall(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint64Range(0, shop.MaxPopularity).Draw(t, "a"), rapid.Uint64Range(0, shop.MaxPopularity).Draw(t, "b")
		fine := rapid.IntRange(1, 4).Draw(t, "fine")
		if a > b {
			a, b = b, a
		}
		if markNumber(a, fine) > markNumber(b, fine) {
			t.Fatalf("%d → %d but %d → %d", a, markNumber(a, fine), b, markNumber(b, fine))
		}
		x, y := rapid.Float64Range(0, 5).Draw(t, "x"), rapid.Float64Range(0, 5).Draw(t, "y")
		if x <= y && ratingNumber(x) > ratingNumber(y) {
			t.Fatalf("rating %v → %d but %v → %d", x, ratingNumber(x), y, ratingNumber(y))
		}
	})
}

// Taking ranges step by step must name each of them once, whichever wide ones stand for them.
func TestTakeMarksCoversAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfNDistinct(rapid.IntRange(0, 60), 1, 40, rapid.ID).Draw(t, "numbers")
		slices.Sort(numbers)
		r := &markRanges{kind: markPrice, whole: map[int]int{}}
		for _, n := range numbers {
			r.left = append(r.left, markRange{n, 10})
			r.whole[n/wide]++
		}
		covered := map[int]int{}
		for len(r.left) > 0 {
			for _, w := range strings.Split(r.take(int64(rapid.IntRange(0, 200).Draw(t, "docs"))), " | ") {
				for _, n := range numbers {
					if w == tsWord(mark(markPrice, n), false) || w == tsWord(mark(wideMark(markPrice), n/wide), false) {
						covered[n]++
					}
				}
			}
		}
		for _, n := range numbers {
			if covered[n] != 1 {
				t.Fatalf("range %d named %d times of %v", n, covered[n], numbers)
			}
		}
	})
}
