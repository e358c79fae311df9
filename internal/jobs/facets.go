package jobs

import (
	"context"
	"time"
)

const (
	// facetTag is carried by counts of products.
	facetTag = "facets"
	// facetRest is the least time between two purges of counts: those with filters take long to make, and may be as old as that
	// while products change all the time.
	facetRest = 5 * time.Second
)

// FacetFolder is a Catalog that counts products as they change, and wants its changes folded into the counts now and then.
type FacetFolder interface {
	// FoldFacets tells how many changes it folded.
	FoldFacets(ctx context.Context) (int, error)
}

// facetJob folds changes of counts, and purges counts when there were any.
type facetJob struct {
	folder FacetFolder
	purge  func(ctx context.Context, position string, tags ...string) error
	now    func() time.Time

	changed bool      // since the last purge
	purged  time.Time // then
}

// facetJobs is the job, if there is something to fold.
func (j *Jobs) facetJobs() []regular {
	folder, ok := j.d.Catalog.(FacetFolder)
	if !ok {
		return nil
	}
	f := &facetJob{folder: folder, purge: j.purge.do, now: j.d.Now}
	return []regular{{"facets", j.d.Periods.Facets, f.run}}
}

func (f *facetJob) run(ctx context.Context) (int, error) {
	n, err := f.folder.FoldFacets(ctx)
	f.changed = f.changed || n > 0
	if err != nil || !f.changed || f.now().Sub(f.purged) < facetRest {
		return n, err
	}
	if err := f.purge(ctx, "", facetTag); err != nil {
		return n, err
	}
	f.changed, f.purged = false, f.now()
	return n, nil
}
