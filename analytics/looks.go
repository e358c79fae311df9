package analytics

import (
	"iter"
	"slices"
	"strings"
)

// lookedUp bounds the ids of one look.
const lookedUp = 4096

// Looks is for stores that look for ids in SQL: quoted and with commas between, each with cast after it, in lists of as many as one
// statement can bear.
func Looks(ids []ID, cast string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for some := range slices.Chunk(ids, lookedUp) {
			list := make([]string, len(some))
			for i, id := range some {
				list[i] = "'" + id.String() + "'" + cast
			}
			if !yield(strings.Join(list, ",")) {
				return
			}
		}
	}
}
