package httpcache

import (
	"net/http"
	"strings"

	"github.com/dunglas/httpsfv"
)

// controlOf reads what counts for this cache: the first field targeted at it (RFC 9213) that can be read, else
// Cache-Control. With a targeted field Expires and Cache-Control are out of play.
func controlOf(h http.Header, name string) (d directives, targeted bool) {
	if lines := h["Surrogate-Control"]; len(lines) > 0 {
		if d, ok := parseSurrogate(lines, name); ok {
			return d, true
		}
	}
	if lines := h["Cdn-Cache-Control"]; len(lines) > 0 {
		if d, ok := parseTargeted(lines); ok {
			return d, true
		}
	}
	return parseControl(h["Cache-Control"]), false
}

// parseSurrogate reads Surrogate-Control (Edge Architecture Specification): directives may be for one surrogate only,
// max-age=60;name, and max-age=60+30 means 30 more seconds stale. What is for another one is not ours; what is for us
// by name goes before what is for all.
func parseSurrogate(lines []string, self string) (directives, bool) {
	var all, ours directives
	var anyAll, anyOurs bool
	for _, line := range lines {
		for len(line) > 0 {
			end := listEnd(line)
			member := line[:end]
			line = strings.TrimPrefix(line[end:], ",")
			member, target, targeted := strings.Cut(strings.Trim(member, " \t"), ";")
			target = strings.Trim(target, " \t")
			if targeted && !strings.EqualFold(target, self) {
				continue
			}
			d, found := &all, &anyAll
			if targeted {
				d, found = &ours, &anyOurs
			}
			eachDirective(member, func(name, value string, quoted bool) {
				if fresh, more, plus := strings.Cut(value, "+"); plus && name == "max-age" {
					d.swr.add(more)
					d.sie.add(more)
					value = fresh
				}
				d.add(name, value, quoted)
				*found = *found || name == "max-age" || name == "no-store" || name == "no-cache" || name == "private" || name == "s-maxage"
			})
		}
	}
	if anyOurs {
		return ours, true
	}
	return all, anyAll
}

// parseTargeted reads a structured field dictionary; one that is malformed, or says something of the wrong type, is
// not there.
func parseTargeted(lines []string) (directives, bool) {
	var d directives
	dict, err := httpsfv.UnmarshalDictionary(lines)
	if err != nil || len(dict.Names()) == 0 {
		return d, false
	}
	for _, name := range dict.Names() {
		member, _ := dict.Get(name)
		item, ok := member.(httpsfv.Item)
		if !ok {
			continue
		}
		switch v := item.Value.(type) {
		case bool:
			if v {
				d.add(name, "", false)
			}
		case int64:
			if !d.addNumber(name, v) {
				return d, false
			}
		default:
			if takesNumber(name) {
				return d, false
			}
		}
	}
	return d, true
}

func (d *directives) addNumber(name string, v int64) bool {
	if v < 0 {
		return !takesNumber(name)
	}
	var b [20]byte
	i := len(b)
	for ; v > 0 || i == len(b); v /= 10 {
		i--
		b[i] = byte('0' + v%10)
	}
	d.add(name, string(b[i:]), false)
	return true
}

func takesNumber(name string) bool {
	switch name {
	case "max-age", "s-maxage", "stale-while-revalidate", "stale-if-error":
		return true
	}
	return false
}
