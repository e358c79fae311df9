package cache_test

import (
	"testing"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
	"go.uber.org/goleak"
)

// Not parallel: it counts goroutines.
func TestCloseLeavesNothingBehind(t *testing.T) {
	redis := localtest.Redis(t).Addr
	before := goleak.IgnoreCurrent()
	wire := &bus{}
	s, err := cache.NewStore(cache.Options{Redis: []string{redis}, Bus: wire})
	if err != nil {
		t.Fatal(err)
	}
	f := cache.New[string](s, "row", cache.FamilyOptions{})
	var d db
	d.set("k", "v")
	get(t, f, &d, "k")
	s.Close()
	s.Close()
	if len(wire.subs) != 0 {
		t.Error("still subscribed")
	}
	goleak.VerifyNone(t, before)
}
