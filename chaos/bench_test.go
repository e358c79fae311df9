package chaos_test

import (
	"testing"

	"github.com/stampede-shop/stampede/chaos"
)

// What an injection and its undo cost with a journal: three writes that are forced to disk.
func BenchmarkInject(b *testing.B) {
	w := newWorld()
	var reg chaos.Registry
	reg.Add(w.mark("scratch"))
	in, err := chaos.New(&reg, chaos.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		i, err := in.Inject(b.Context(), chaos.Request{Fault: "scratch", Params: map[string]string{"thing": "a"}})
		if err == nil {
			err = in.End(b.Context(), i.ID)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := in.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}
