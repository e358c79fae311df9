package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// policy says how long an answer of the catalogue may be kept, by shoppers and by the edge. Nobody can purge what
// shoppers keep, so they always ask back. The edge keeps what it can purge by key for long, and serves it a little longer
// while it fetches anew, or the API is down. See docs/adr/0013-cacheable-answers.md.
type policy struct {
	shoppers, edge []string // values of Cache-Control and Surrogate-Control
}

func kept(edge string) *policy {
	return &policy{[]string{"public, max-age=0, must-revalidate"}, []string{edge}}
}

var (
	keepProduct = kept("max-age=3600, stale-while-revalidate=60, stale-if-error=3600")
	keepList    = kept("max-age=600, stale-while-revalidate=30, stale-if-error=3600")
	// Pages behind a cursor are read by few.
	keepDeep = kept("max-age=60, stale-while-revalidate=30, stale-if-error=3600")
	// Counts with filters.
	keepCounts = kept("max-age=30, stale-while-revalidate=5, stale-if-error=600")
	// No longer than it may show one that is over; it says when each begins.
	keepCampaigns = kept("max-age=10, stale-while-revalidate=5, stale-if-error=600")
	// What must not be older than a second, whatever fails; see dated.
	keepSecond = &policy{[]string{"no-cache"}, []string{"max-age=1, stale-if-error=0"}}
	// What changes with the program only.
	keepDocument = kept("max-age=60")
	// Ids that do not exist may come to exist: an import makes products without a word about each.
	keepIncomplete = kept("max-age=5")
	keepAbsent     = &policy{[]string{"no-store"}, []string{"max-age=5"}}
)

// cachePrivate is for what is one shopper's.
var cachePrivate = []string{"private, no-store"}

// Surrogate keys: the same words as the tags of internal/cached, so that one purge reaches every tier.
const (
	keyLists     = "lists"  // every list: purged by every change of a product
	keyFacets    = "facets" // counts
	keyCampaigns = "campaigns"
)

func productKey(id int64) string { return "p:" + strconv.FormatInt(id, 10) }

func stockKey(id int64) string { return "s:" + strconv.FormatInt(id, 10) }

// absent answers that there is no such thing, for the edge to keep for a moment under the keys; other errors pass.
func (c *call) absent(err error, keys string) error {
	if shop.CodeOf(err) != shop.CodeNotFound || c.r.Header.Get("Authorization") != "" {
		return err
	}
	writeProblem(c.w, c.r, err, func(h http.Header) {
		h["Cache-Control"], h["Surrogate-Control"], h["Surrogate-Key"] = keepAbsent.shoppers, keepAbsent.edge, []string{keys}
	})
	return nil
}

// dated sets Date back by as long as what is shown may have been known here before it was asked for. A cache that reckons an
// answer's age from its Date (RFC 9111, 4.2.3) then keeps it no longer than until a second after it was read.
func (c *call) dated(now time.Time) {
	c.w.Header().Set("Date", now.Add(-shop.ShownFor).UTC().Format(http.TimeFormat))
}
