package postgres

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stampede-shop/stampede/internal/postgres/catalogdb"
	"github.com/stampede-shop/stampede/replica"
)

// Bounds of a search: words looked at, and unknown ones among them that are worth a correction.
const (
	maxQueryWords  = 12
	maxCorrections = 4
	minCorrected   = 4 // characters; shorter words resemble too many others
	minPrefix      = 3 // characters
	rareWord       = 2 // products; a word this rare may itself be a misspelling
	muchMore       = 20
)

// searchMatch is what the words and filters of a query come to. An empty query means that nothing can match.
type searchMatch struct {
	query    string // a tsquery
	atMost   int64  // estimate of the most products that can match: those with the rarest word
	likely   int64  // estimate of the products that match, if words come independently of each other
	products int64  // estimate of all products
}

// expected is how many products have to be looked at, in some order, to find so many that match, if order and words have
// nothing to do with each other.
func (m searchMatch) expected(want int) int64 { return int64(want) * m.products / max(1, m.likely) }

// queryWords finds the words of a search text, without those that say nothing.
func queryWords(q string) []string {
	var all, telling []string
	seen := map[string]bool{}
	eachWord(q, false, func(w string) bool {
		if !seen[w] {
			seen[w] = true
			all = append(all, w)
			if !stopWords[w] {
				telling = append(telling, w)
			}
		}
		return len(all) < maxQueryWords
	})
	if len(telling) > 0 {
		return telling
	}
	return all
}

// resolveWords makes a tsquery of words and marks that all must match. A word that no product has stands for words that
// begin with it or, failing that, for the known words nearest to it.
func resolveWords(ctx context.Context, db replica.Reader, words, marks []string) (searchMatch, error) {
	if len(words) == 0 {
		return searchMatch{}, nil
	}
	q := catalogdb.New(db.Generated())
	all := append(words[:len(words):len(words)], marks...)
	known, err := q.LookupWords(ctx, all)
	if err != nil {
		return searchMatch{}, err
	}
	docs := make(map[string]int64, len(known))
	m := searchMatch{atMost: 1 << 62, products: 1}
	for _, k := range known {
		docs[k.Word] = k.Docs
		m.products = k.Products
	}
	corrections := 0
	share := float64(m.products)
	terms := make([]string, len(all))
	for i, w := range all {
		t := searchTerm{alternatives: []string{tsWord(w, false)}, docs: docs[w]}
		if docs[w] <= rareWord && w[0] != '#' && corrections < maxCorrections {
			corrections++
			if t, err = widen(ctx, q, w, docs[w]); err != nil {
				return searchMatch{}, err
			}
		}
		if t.docs == 0 {
			return searchMatch{}, nil
		}
		terms[i] = t.String()
		m.atMost = min(m.atMost, t.docs)
		share *= min(1, float64(t.docs)/float64(m.products))
	}
	m.likely = max(1, int64(share))
	m.query = strings.Join(terms, " & ")
	return m, nil
}

// searchTerm is one word of a query with what it may stand for.
type searchTerm struct {
	alternatives []string
	docs         int64
}

func (t searchTerm) String() string { return "(" + strings.Join(t.alternatives, " | ") + ")" }

// widen finds what a word may stand for that docs products (none, or very few) have.
func widen(ctx context.Context, q *catalogdb.Queries, word string, docs int64) (searchTerm, error) {
	t := searchTerm{docs: docs}
	if docs > 0 {
		t.alternatives = []string{tsWord(word, false)}
	}
	length := utf8.RuneCountInString(word)
	if docs == 0 && length >= minPrefix {
		p, err := q.WordsWithPrefix(ctx, catalogdb.WordsWithPrefixParams{Prefix: word, Upper: word + "\U0010FFFF"})
		if err != nil {
			return t, err
		}
		if p.Words > 0 {
			return searchTerm{alternatives: []string{tsWord(word, true)}, docs: p.Docs}, nil
		}
	}
	if length < minCorrected || strings.ContainsFunc(word, unicode.IsDigit) { // 8gb is not a misspelt 4gb
		return t, nil
	}
	candidates, err := q.SimilarWords(ctx, word)
	if err == nil {
		candidates, err = withSwapped(ctx, q, word, candidates)
	}
	if err != nil {
		return t, err
	}
	for _, c := range nearest(word, docs, candidates) {
		t.alternatives = append(t.alternatives, tsWord(c.Word, false))
		t.docs += c.Docs
	}
	return t, nil
}

// nearest picks the candidates with the fewest edits from word, the more frequent ones first, at most three. Two letters in the wrong
// order are likelier than any other edit. When word itself is known, only much more frequent ones count.
func nearest(word string, docs int64, candidates []catalogdb.SimilarWordsRow) []catalogdb.SimilarWordsRow {
	asked := []rune(word)
	best := 2 * (1 + (len(asked)-1)/5) // half edits; 1 edit is allowed up to 5 letters, 2 up to 10, 3 beyond
	if docs > 0 {
		best = 2
	}
	var found []catalogdb.SimilarWordsRow
	for _, c := range candidates {
		d := 2 * editDistance(asked, []rune(c.Word))
		if oneSwap(asked, []rune(c.Word)) {
			d--
		}
		if c.Word == word || c.Docs < max(1, docs*muchMore) || d > best || c.Word[0] == '#' ||
			strings.ContainsFunc(c.Word, unicode.IsDigit) {
			continue
		}
		if d < best {
			best, found = d, found[:0]
		}
		found = append(found, c)
	}
	if len(found) > 3 {
		sortByDocs(found)
		found = found[:3]
	}
	return found
}
