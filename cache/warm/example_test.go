package warm_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/stampede-shop/stampede/cache/warm"
)

func Example() {
	var cache sync.Map
	tier := warm.NewTier("memory", func(_ context.Context, keys []string) (out warm.Outcome, err error) {
		for _, k := range keys {
			if _, there := cache.LoadOrStore(k, "read from the database"); !there {
				out.Loaded = append(out.Loaded, k)
			}
		}
		return out, nil
	})
	w, err := warm.New(warm.Options{}, tier)
	if err != nil {
		panic(err)
	}
	defer w.Close()
	for _, read := range []string{"kettle", "lamp", "kettle"} {
		w.Seen(read)
	}
	cache.Clear() // a restart
	done, err := w.Run(context.Background(), warm.Request{Reason: "start"})
	fmt.Println(done.Loaded, "loaded", err)
	ranked, _ := w.Rank(context.Background(), done.Started, 1)
	fmt.Println("first:", ranked[0].Key)
	// Output:
	// 2 loaded <nil>
	// first: kettle
}
