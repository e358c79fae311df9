package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// secure sets the headers every answer carries.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy())
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "strict-origin-when-cross-origin") // a stricter one would hide Origin from our own forms
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
}

// noStore marks an answer as one shopper's, or as not worth keeping.
func noStore(h http.Header) {
	h.Set("Cache-Control", "private, no-store")
	h.Del("Surrogate-Control")
	h.Del("Surrogate-Key")
	h.Del("ETag")
}

// How long an edge may keep a shared page. Purges by tag come well before; the bound is for a purge that was lost.
const (
	keepPage  = 60 * time.Second
	keepScant = time.Second // a page with a number of units on it: no older than the stock endpoint, whatever fails
	keepAsset = 365 * 24 * time.Hour
)

// edgeMay lets an edge keep the answer under the given tags; browsers ask again each time, and get a 304.
func edgeMay(h http.Header, keep time.Duration, tags ...string) {
	h.Set("Cache-Control", "public, max-age=0, must-revalidate")
	control := "max-age=" + seconds(keep)
	if keep <= keepScant {
		control += ", stale-if-error=0"
	}
	h.Set("Surrogate-Control", control)
	h.Set("Surrogate-Key", strings.Join(tags, " "))
}

// everybodyMay lets browsers keep the answer too: its address changes when it does.
func everybodyMay(h http.Header, keep time.Duration, tags ...string) {
	h.Set("Cache-Control", "public, max-age="+seconds(keep)+", immutable")
	h.Set("Surrogate-Control", "max-age="+seconds(keep))
	if len(tags) > 0 {
		h.Set("Surrogate-Key", strings.Join(tags, " "))
	}
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// Surrogate keys, the same as the JSON API's: a purge of one reaches pages and answers alike.
const listTag = "lists"

func productTag(id int64) string { return "p:" + strconv.FormatInt(id, 10) }

// listTags are the keys of a page that shows these products.
func listTags(lists ...[]shop.Product) []string {
	tags := []string{listTag}
	for _, products := range lists {
		for _, p := range products {
			tags = append(tags, productTag(p.ID))
		}
	}
	return tags
}
