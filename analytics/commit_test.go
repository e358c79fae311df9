package analytics

import (
	"context"
	"errors"
	"testing"
)

// failing is a store whose first appends fail with err.
type failing struct {
	Store
	err     error
	fails   int
	tried   int
	at      []Place
	onError func()
}

func (f *failing) Append(_ context.Context, _ []*Batch, at Place) error {
	if f.tried++; f.tried <= f.fails {
		f.onError()
		return f.err
	}
	f.at = append(f.at, at)
	return nil
}

// A group that was not stored before the end must not be overtaken by the one after it: the place would be behind it, and it lost.
func TestNothingIsStoredAfterWhatWasNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want error
	}{"stopping": {errors.New("the server is away"), nil}, "displaced": {ErrDisplaced, ErrDisplaced}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			s := &failing{err: c.err, fails: 1, onError: cancel}
			if errors.Is(c.err, ErrDisplaced) {
				s.onError = func() {}
			}
			groups := make(chan *group, 3)
			for i := range uint64(3) {
				groups <- &group{at: Place{"s", i + 1}, events: 1, batches: []*Batch{{}}}
			}
			close(groups)
			if err := NewIngester(nil, s, IngestOptions{}).commitAll(ctx, groups, cancel); !errors.Is(err, c.want) {
				t.Errorf("it ended with %v", err)
			}
			if len(s.at) > 0 || ctx.Err() == nil {
				t.Errorf("stored %v after a group that was not; stopped %v", s.at, ctx.Err())
			}
		})
	}
}
