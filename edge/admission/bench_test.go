package admission

import (
	"context"
	"testing"
)

// What admitting costs while there is room.
func BenchmarkAdmit(b *testing.B) {
	l, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p, err := l.Acquire(context.Background(), Browse, "192.0.2.1")
			if err != nil {
				b.Error(err)
				return
			}
			p.Done(Served)
		}
	})
}

// What refusing costs, which is what there is most of in an overload.
func BenchmarkRefuse(b *testing.B) {
	l, err := New(Options{Min: 1, Initial: 1, Max: 1})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := l.Acquire(context.Background(), Browse, ""); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.Acquire(context.Background(), Crawl, "192.0.2.1"); err == nil {
				b.Error("admitted")
				return
			}
		}
	})
}
