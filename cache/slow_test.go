package cache_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// Redis answers, but too late, or only every other time: it is left alone, nobody waits for it any more, and it is used again once it is
// quick.
func TestSlowRedis(t *testing.T) {
	t.Parallel()
	for name, every := range map[string]int{"always": 1, "every other time": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, localtest.Redis(t).Addr)
			const limit = 50 * time.Millisecond
			s := store(t, cache.Options{Redis: []string{p.addr}, Timeout: limit, Trip: 3, Probe: 100 * time.Millisecond, Beat: time.Hour})
			eventually(t, "Redis is in use", func() bool { return s.Stats().L2.Up })
			f := cache.New[string](s, "row", cache.FamilyOptions{})
			p.delay(4*limit, every)
			var d db
			n := 0
			eventually(t, "it is left alone", func() bool {
				key := fmt.Sprint(n)
				n++
				d.set(key, "v")
				if v, _ := get(t, f, &d, key); v != "v" {
					t.Fatalf("%q", v)
				}
				return !s.Stats().L2.Up
			})
			p.delay(0, 0)
			eventually(t, "it is used again", func() bool { return s.Stats().L2.Up })
			seed(t, s, &d, "0")
		})
	}
}
