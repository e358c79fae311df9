package postgres

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/postgres/catalogdb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/replica"
)

// facetBounds say how much is counted: of index entries, which take about a microsecond each, and of rows that a search
// finds, which have to be fetched.
type facetBounds struct {
	entries  int // counted one by one, with filters
	rows     int // counted one by one, with words
	clusters int // of the sample, evenly spread over the ids, of
	cluster  int // entries each
}

var usualFacetBounds = facetBounds{entries: 60_000, rows: 20_000, clusters: 256, cluster: 256}

// facets counts what passes the filters. Up to a bound everything is counted; beyond, a sample is. Categories and brands
// are scattered over ids, so a sample of short runs of ids is close to one of products.
func (l *listing) facets(ctx context.Context, db replica.Reader) (shop.Facets, error) {
	return l.facetsWithin(ctx, db, usualFacetBounds)
}

func (l *listing) facetsWithin(ctx context.Context, db replica.Reader, b facetBounds) (shop.Facets, error) {
	if l.q.Q != "" {
		return l.searchFacets(ctx, db, b)
	}
	n, err := l.count(ctx, db, l.allFacets(b.entries))
	if err != nil || n.examined <= int64(b.entries) {
		return n.counts.Facets(), err
	}
	if n, err = l.count(ctx, db, l.sampleFacets(b)); err != nil {
		return shop.Facets{}, err
	}
	all, err := catalogdb.New(db.Generated()).CountFacets(ctx)
	if err != nil {
		return shop.Facets{}, err
	}
	f := n.counts.Facets()
	return f.Scaled(share(countsOf(all).Facets().Total, f.Total, n.examined)), nil
}

// searchFacets counts what words find.
func (l *listing) searchFacets(ctx context.Context, db replica.Reader, b facetBounds) (shop.Facets, error) {
	m, err := resolveWords(ctx, db, l.words, l.filterMarks())
	if err != nil || m.query == "" {
		return shop.NewFacetCounts().Facets(), err
	}
	n, err := l.count(ctx, db, l.foundFacets(m.query, b.rows))
	if err != nil || n.examined <= int64(b.rows) {
		return n.counts.Facets(), err
	}
	f := n.counts.Facets()
	return f.Scaled(share(max(m.likely, n.examined), f.Total, n.examined)), nil
}

// share is how many of all there are if of examined ones so many pass.
func share(all, passed, examined int64) int64 {
	return int64(float64(all)*float64(passed)/float64(max(examined, 1)) + 0.5)
}

// facetCount is the outcome of a count: examined tells how many products were looked at, passing or not.
type facetCount struct {
	counts   shop.FacetCounts
	examined int64
}

const facetColumns = "category, brand, price, availability"

// allFacets looks at what passes the filters, one more than most at most.
func (l *listing) allFacets(most int) statement {
	var s statement
	from := " FROM products WHERE deleted_at IS NULL" + l.filters(&s)
	return grouped(s, "SELECT "+facetColumns+", true AS passes"+from+" LIMIT "+strconv.Itoa(most+1))
}

// foundFacets looks at what the words find, one more than most at most.
func (l *listing) foundFacets(tsquery string, most int) statement {
	var s statement
	from := " FROM products WHERE deleted_at IS NULL AND search @@ " + s.arg(tsquery) + "::tsquery"
	return grouped(s, "SELECT "+facetColumns+", (true"+l.filters(&s)+") AS passes"+from+" LIMIT "+strconv.Itoa(most+1))
}

// sampleFacets looks at runs of neighbours in the order of ids.
func (l *listing) sampleFacets(b facetBounds) statement {
	var s statement
	n := strconv.Itoa(b.clusters)
	return grouped(s, "SELECT "+facetColumns+", (true"+l.filters(&s)+") AS passes FROM ("+
		"SELECT lo + (hi - lo) * i / "+n+" AS first, lo + (hi - lo) * (i + 1) / "+n+" AS next FROM generate_series(0, "+n+" - 1) AS i, "+
		"(SELECT min(id) AS lo, max(id) + 1 AS hi FROM products WHERE deleted_at IS NULL) ends) run CROSS JOIN LATERAL ("+
		"SELECT "+facetColumns+" FROM products WHERE deleted_at IS NULL AND id >= run.first AND id < run.next ORDER BY id LIMIT "+
		strconv.Itoa(b.cluster)+") p")
}

// grouped counts the rows of a query that pass, by each of their properties, and all of them.
func grouped(s statement, rows string) statement {
	s.sql = "WITH looked AS MATERIALIZED (" + rows + ") " +
		"SELECT grouping(category, brand, band, availability)::int, category, brand, band, availability, count(*) FROM (" +
		"SELECT category, brand, facet_band(price) AS band, availability FROM looked WHERE passes) p " +
		"GROUP BY GROUPING SETS ((category), (brand), (band), (availability)) " +
		"UNION ALL SELECT 0, NULL, NULL, NULL, NULL, count(*) FROM looked"
	return s
}

// facetRow is a count of one property: kind has a bit for each of the four that it is not about.
type facetRow struct {
	Kind         int32
	Category     *string
	Brand        *string
	Band         *int64
	Availability *string
	N            int64
}

func (l *listing) count(ctx context.Context, db replica.Reader, s statement) (facetCount, error) {
	n := facetCount{counts: shop.NewFacetCounts()}
	found, err := db.Query(ctx, s.sql, append([]any{pgx.QueryExecModeCacheDescribe}, s.args...)...)
	if err != nil {
		return n, err
	}
	rows, err := pgx.CollectRows(found, pgx.RowToStructByPos[facetRow])
	for _, r := range rows {
		switch r.Kind {
		case 0b0111:
			n.counts.Categories[*r.Category] = r.N
		case 0b1011:
			n.counts.Brands[*r.Brand] = r.N
		case 0b1101:
			n.counts.Bands[*r.Band] = r.N
		case 0b1110:
			n.counts.Availability[shop.Availability(*r.Availability)] = r.N
		default:
			n.examined = r.N
		}
	}
	return n, err
}
