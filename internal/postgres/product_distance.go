package postgres

import (
	"cmp"
	"context"
	"slices"

	"github.com/stampede-shop/stampede/internal/postgres/catalogdb"
)

// editDistance counts the letters to insert, delete, replace, or swap with their neighbour to get from a to b
// (optimal string alignment).
func editDistance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// oneSwap tells whether b is a with two neighbours in the other order.
func oneSwap(a, b []rune) bool {
	if len(a) != len(b) {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && slices.Equal(a[i+2:], b[i+2:])
}

// swaps are the words that a word becomes by two neighbours in the other order.
func swaps(word string) (out []string) {
	letters := []rune(word)
	for i := range len(letters) - 1 {
		if letters[i] != letters[i+1] {
			letters[i], letters[i+1] = letters[i+1], letters[i]
			out = append(out, string(letters))
			letters[i], letters[i+1] = letters[i+1], letters[i]
		}
	}
	return out
}

// withSwapped adds the known words among the swaps of a word. In a short one, two letters in the wrong order leave hardly three in a row
// as they were, so that it resembles nothing; there are few enough to ask for each.
func withSwapped(ctx context.Context, q *catalogdb.Queries, word string, candidates []catalogdb.SimilarWordsRow) ([]catalogdb.SimilarWordsRow, error) {
	rows, err := q.LookupWords(ctx, swaps(word))
	for _, r := range rows {
		if r.Docs > 0 && !slices.ContainsFunc(candidates, func(c catalogdb.SimilarWordsRow) bool { return c.Word == r.Word }) {
			candidates = append(candidates, catalogdb.SimilarWordsRow{Word: r.Word, Docs: r.Docs})
		}
	}
	return candidates, err
}

func sortByDocs(words []catalogdb.SimilarWordsRow) {
	slices.SortStableFunc(words, func(a, b catalogdb.SimilarWordsRow) int { return cmp.Compare(b.Docs, a.Docs) })
}
