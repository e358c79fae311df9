package move_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/shard"
)

// The database and the program agree about every key.
func TestOwnerSQLIsLocate(t *testing.T) {
	t.Parallel()
	db := connect(t, localtest.Postgres(t).Database(t))
	var infos []shard.Info
	for i := range 7 {
		infos = append(infos, shard.Info{ID: fmt.Sprintf("it's \\%d", i), Weight: i % 3})
	}
	ring, err := shard.NewRing(infos...)
	check(t, err)
	one, err := shard.NewRing(infos[:1]...)
	check(t, err)
	ranges, err := shard.NewRangeMap(shard.Range{Shard: "a"}, shard.Range{From: "Z", Shard: "b"}, shard.Range{From: "k'", Shard: "c"}, shard.Range{From: "é", Shard: "a"})
	check(t, err)
	dir, err := shard.NewDirectory(ring, map[string]string{"é": "x", `"\`: "y"}, shard.Span{From: "a", To: "b", Shard: "z"}, shard.Span{From: "x", Shard: "w"})
	check(t, err)
	keys := []string{"é", `"\`, "a", "az", "b", "x", "k'", "k", "Z", "z"}
	for range 3000 {
		keys = append(keys, fmt.Sprintf("%c%x", 'A'+rand.IntN(60), rand.Uint64()))
	}
	for name, m := range map[string]shard.Map{"ring": ring, "one": one, "ranges": ranges, "directory": dir} {
		sql, err := shard.OwnerSQL(m, "k")
		check(t, err)
		rows, err := db.Query(t.Context(), "SELECT "+sql+" FROM unnest($1::text[]) WITH ORDINALITY u(k, n) ORDER BY n", keys)
		check(t, err)
		i := 0
		for rows.Next() {
			var got string
			check(t, rows.Scan(&got))
			if want, _ := m.Locate(keys[i]); got != want {
				t.Fatalf("%s: %q is %s in SQL, %s in Go", name, keys[i], got, want)
			}
			i++
		}
		check(t, rows.Err())
		if i != len(keys) {
			t.Fatalf("%s: %d of %d keys", name, i, len(keys))
		}
	}
}
