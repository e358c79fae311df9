package postgres

import (
	"cmp"
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

func sortByDocs(words []catalogdb.SimilarWordsRow) {
	slices.SortStableFunc(words, func(a, b catalogdb.SimilarWordsRow) int { return cmp.Compare(b.Docs, a.Docs) })
}
