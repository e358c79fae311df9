package replica

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// What a read costs beside the query: choice of the node, token, bookkeeping.
func BenchmarkView(b *testing.B) {
	s := offline(2)
	for _, r := range s.replicas {
		r.observe(time.Millisecond)
	}
	ctx := WithToken(context.Background(), Token{}.With("db", 7))
	fn := func(context.Context, Reader) error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		if err := s.View(ctx, fn); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkViewParallel(b *testing.B) {
	s := offline(2)
	for _, r := range s.replicas {
		r.observe(time.Millisecond)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.Read(context.Background(), func(context.Context, *pgxpool.Pool, string) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkToken(b *testing.B) {
	s, err := NewSigner(0, []byte("0123456789abcdef"))
	if err != nil {
		b.Fatal(err)
	}
	t := Token{}.With("catalog", 1<<40).With("shard1", 1<<41).With("shard2", 1<<42)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Decode(s.Encode(t)); err != nil {
			b.Fatal(err)
		}
	}
}

// What the figures of a statement cost.
func BenchmarkTracer(b *testing.B) {
	tr := NewQueries(QueriesOptions{}).Tracer("db", "n")
	start, end := pgx.TraceQueryStartData{SQL: "-- name: GetCart :one\nSELECT 1"}, pgx.TraceQueryEndData{CommandTag: pgconn.NewCommandTag("SELECT 1")}
	b.ReportAllocs()
	for b.Loop() {
		tr.TraceQueryEnd(tr.TraceQueryStart(context.Background(), nil, start), nil, end)
	}
}
