package roleops

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/stampede-shop/stampede/edge"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/httpapi"
	"github.com/stampede-shop/stampede/internal/web"
	"github.com/stampede-shop/stampede/telemetry"
	"github.com/stampede-shop/stampede/telemetry/spans"
)

// patterns tell which route a path belongs to where there is no mux to ask. They are those of net/http: {name} stands for a segment,
// {name...} and a slash at the end for all the rest. The one with the most literal segments from the left wins, as there.
type patterns struct {
	byFirst map[string][]*pattern // by the first segment
}

type pattern struct {
	text     string
	segments []string // anySegment for any that is not empty
	open     bool     // more may follow
	get      atomic.Pointer[telemetry.Series]
}

// shopPatterns are the routes of API and storefront, without methods.
func shopPatterns() patterns {
	all := slices.Concat(httpapi.Patterns(), web.Patterns())
	p := patterns{map[string][]*pattern{}}
	for _, text := range all {
		text = text[strings.Index(text, " ")+1:]
		made := parsePattern(text)
		first := made.segments[0]
		if !slices.ContainsFunc(p.byFirst[first], func(o *pattern) bool { return o.text == text }) {
			p.byFirst[first] = append(p.byFirst[first], made)
		}
	}
	for _, list := range p.byFirst {
		slices.SortStableFunc(list, func(a, b *pattern) int { return b.weight() - a.weight() })
	}
	return p
}

const anySegment = "{}"

func parsePattern(text string) *pattern {
	p := &pattern{text: text}
	path := strings.TrimSuffix(text, "{$}")
	p.open = strings.HasSuffix(path, "/") && path == text || strings.HasSuffix(path, "...}")
	for i, s := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		switch {
		case strings.HasSuffix(s, "...}"):
		case s == "" && i > 0: // the slash at the end
		case strings.HasPrefix(s, "{"):
			p.segments = append(p.segments, anySegment)
		default:
			p.segments = append(p.segments, s)
		}
	}
	return p
}

// weight orders patterns of one first segment: literals, then names, then what is open.
func (p *pattern) weight() (w int) {
	for i, s := range p.segments {
		if s != anySegment {
			w += 1 << (16 - i)
		} else {
			w += 1 << (8 - i)
		}
	}
	if !p.open {
		w += 1 << 8
	}
	return w
}

func (p *pattern) matches(path string) bool {
	rest := strings.TrimPrefix(path, "/")
	for i, want := range p.segments {
		segment, after, more := strings.Cut(rest, "/")
		if segment != want && (want != anySegment || segment == "") {
			return false
		}
		if rest = after; i == len(p.segments)-1 {
			return !more || p.open
		}
		if !more {
			return false
		}
	}
	return true
}

// match is the pattern of a target, nil when it has none.
func (p patterns) match(target string) *pattern {
	path := target
	if i := strings.IndexByte(path, '?'); i >= 0 {
		path = path[:i]
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	for _, c := range p.byFirst[first] {
		if c.matches(path) {
			return c
		}
	}
	return nil
}

// series is that of a target. Most requests are GETs: their series are kept with the pattern, which saves another look-up.
func (p patterns) series(rs *routes, method, target string) *telemetry.Series {
	found := p.match(target)
	if found == nil {
		return rs.series(method, "")
	}
	if method != http.MethodGet {
		return rs.series(method, found.text)
	}
	s := found.get.Load()
	if s == nil {
		s = rs.series(method, found.text)
		found.get.Store(s)
	}
	return s
}

// anyPath is the route of everything in front of servers of which nothing is known.
const anyPath = "/"

// EdgeAnswered is what an edge calls for each request: by the routes of the shop where that is behind it.
func (m *Measuring) EdgeAnswered(profile string) func(edge.Answered) {
	rs := m.routes()
	var ps patterns
	var anyGet *telemetry.Series // of what is plain: the most frequent, found once
	if profile == config.ProfileShop {
		ps = shopPatterns()
	} else {
		anyGet = rs.series(http.MethodGet, anyPath)
	}
	origins := m.Set.Series(telemetry.KindLink, "origins")
	return func(a edge.Answered) {
		if m.Paused() {
			return
		}
		s := anyGet
		if profile == config.ProfileShop {
			s = ps.series(rs, a.Method, a.Target)
		} else if a.Method != http.MethodGet {
			s = rs.series(a.Method, anyPath)
		}
		s.RecordStatus(a.Took, a.Status)
		if a.Attempts > 0 || forwarded(a.Header) { // an origin was asked: nearly all of the time is its
			origins.Record(a.Took, telemetry.Failed(a.Status))
		}
		m.Flown(s.Name(), a.ID, a.Took)
		if m.spans != nil && a.Request != nil {
			m.keepEdge(s.Name(), a)
		}
	}
}

// forwarded tells an answer that came from an origin, by the cache in front of it (RFC 9211).
func forwarded(h http.Header) bool {
	v := h["Cache-Status"]
	return len(v) > 0 && strings.Contains(v[0], "; fwd=")
}

// tellingHeaders say where an answer came from.
var tellingHeaders = [...]string{"Cache-Status", "Server-Timing"}

// keepEdge remembers a request with what its answer says about where it came from.
func (m *Measuring) keepEdge(route string, a edge.Answered) {
	kept := spans.Answered{ID: a.ID, TraceID: traceID(a.Request.Header), Method: a.Method, Target: strings.Clone(a.Target), Route: route, Status: a.Status,
		Failed: telemetry.Failed(a.Status), Start: a.Start, Took: a.Took}
	extra := make([]spans.Span, 0, len(tellingHeaders)+1)
	for _, name := range tellingHeaders {
		if v := a.Header[name]; len(v) > 0 {
			extra = append(extra, spans.Span{Kind: "header", Name: name, Detail: strings.Join(v, ", "), Start: spans.Unknown})
		}
	}
	if a.Attempts > 0 {
		extra = append(extra, spans.Span{Kind: "origin", Name: "attempts", Detail: strconv.Itoa(a.Attempts), Start: spans.Unknown})
	}
	kept.Extra = extra
	m.spans.Keep(kept)
}
