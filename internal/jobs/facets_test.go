package jobs

import (
	"context"
	"errors"
	"testing"
	"time"
)

type folder struct {
	n   int
	err error
}

func (f *folder) FoldFacets(context.Context) (int, error) { return f.n, f.err }

func TestFacetsArePurgedWhenCountsChange(t *testing.T) {
	t.Parallel()
	now, purges, fail := time.Unix(1000, 0), 0, error(nil)
	f := &folder{}
	job := &facetJob{folder: f, now: func() time.Time { return now }, purge: func(_ context.Context, _ string, tags ...string) error {
		if len(tags) != 1 || tags[0] != facetTag {
			t.Errorf("purged %v", tags)
		}
		purges++
		return fail
	}}
	for i, step := range []struct {
		after  time.Duration
		folded int
		fold   error
		purge  error
		want   int // purges so far
	}{
		{0, 0, nil, nil, 0},
		{time.Second, 3, nil, nil, 1},
		{time.Second, 3, nil, nil, 1}, // too soon, but not forgotten
		{5 * time.Second, 0, nil, nil, 2},
		{9 * time.Second, 0, nil, nil, 2},
		{time.Second, 1, nil, errors.New("no route"), 3},
		{time.Second, 0, nil, nil, 4}, // what failed is repeated
		{9 * time.Second, 0, errors.New("away"), nil, 4},
	} {
		now, f.n, f.err, fail = now.Add(step.after), step.folded, step.fold, step.purge
		n, err := job.run(t.Context())
		if n != step.folded || (err != nil) != (step.fold != nil || step.purge != nil) || purges != step.want {
			t.Errorf("step %d: %d folded, %d purges, %v", i, n, purges, err)
		}
	}
}
