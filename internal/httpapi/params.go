package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stampede-shop/stampede/internal/shop"
)

const maxCursor = 1024

// queryParams reads known query parameters, all errors collected; unknown ones are ignored, empty ones count as absent.
type queryParams struct {
	values url.Values
	known  url.Values // those asked for and present, for the link to the next page
	errs   []shop.FieldError
}

func parseQuery(r *http.Request) (*queryParams, error) {
	// A bare semicolon is an ordinary character today; net/url refuses it.
	v, err := url.ParseQuery(strings.ReplaceAll(r.URL.RawQuery, ";", "%3B"))
	if err != nil {
		return nil, shop.Errorf(shop.CodeMalformed, "the query string cannot be read: %w", err)
	}
	return &queryParams{values: v, known: url.Values{}}, nil
}

func (q *queryParams) err() error {
	if len(q.errs) == 0 {
		return nil
	}
	return fieldErrors(q.errs)
}

func (q *queryParams) bad(name, message string) {
	q.errs = append(q.errs, shop.FieldError{Field: name, Message: message})
}

func (q *queryParams) raw(name string) string {
	v := q.values.Get(name)
	if v != "" {
		q.known.Set(name, v)
	}
	return v
}

// text reads a string of at most longest characters, without control characters.
func (q *queryParams) text(name string, longest int) string {
	v := q.raw(name)
	switch {
	case !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl):
		q.bad(name, "must be UTF-8 without control characters")
	case utf8.RuneCountInString(v) > longest:
		q.bad(name, "must have at most "+strconv.Itoa(longest)+" characters")
	default:
		return v
	}
	return ""
}

func (q *queryParams) int(name string, low, high, absent int64) int64 {
	if n := q.optInt(name, low, high); n != nil {
		return *n
	}
	return absent
}

func (q *queryParams) optInt(name string, low, high int64) *int64 {
	v := q.raw(name)
	if v == "" {
		return nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < low || n > high {
		q.bad(name, "must be an integer from "+strconv.FormatInt(low, 10)+" to "+strconv.FormatInt(high, 10))
		return nil
	}
	return &n
}

func (q *queryParams) optBool(name string) *bool {
	v := q.raw(name)
	switch v {
	case "":
		return nil
	case "true", "1":
		yes := true
		return &yes
	case "false", "0":
		no := false
		return &no
	}
	q.bad(name, "must be true or false")
	return nil
}

func (q *queryParams) oneOf(name, absent string, allowed ...string) string {
	v := q.raw(name)
	if v == "" {
		return absent
	}
	if !slices.Contains(allowed, v) {
		q.bad(name, "must be one of "+strings.Join(allowed, ", "))
	}
	return v
}

// ids reads a comma-separated list of ids; present tells an empty list from none.
func (q *queryParams) ids(name string, most int) (ids []int64, present bool) {
	if !q.values.Has(name) {
		return nil, false
	}
	for part := range strings.SplitSeq(q.raw(name), ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		id, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			q.bad(name, "must be integers separated by commas; "+strconv.Quote(cut(part))+" is not one")
			return nil, true
		}
		ids = append(ids, id)
	}
	if len(ids) > most {
		q.bad(name, "must be at most "+strconv.Itoa(most)+" ids")
	}
	return ids, true
}

func cut(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
