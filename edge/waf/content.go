package waf

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// setBody takes a body apart by its type. An error means that it is not what it says it is.
func (q *request) setBody(r *http.Request, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch media = strings.ToLower(strings.TrimSpace(media)); {
	case isNDJSON(media):
		return q.setJSON(data, true)
	case isJSON(media):
		return q.setJSON(data, false)
	case media == "" || media == "text/plain":
		return q.guessBody(media, data)
	case media == "application/x-www-form-urlencoded":
		q.body = data
		q.cleanBody = []byte(q.cleanForm(string(data)))
		q.repeated = repeatedFields(string(data))
	default:
		q.body, q.cleanBody = data, data
	}
	return nil
}

func isJSON(media string) bool {
	return media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}

func isNDJSON(media string) bool {
	switch media {
	case "application/ndjson", "application/x-ndjson", "application/jsonl", "application/x-jsonlines", "application/json-seq":
		return true
	}
	return false
}

// guessBody takes a body that does not say what it is for JSON, as our API does, and if it is none for one text.
func (q *request) guessBody(media string, data []byte) error {
	before := q.textBytes
	if c := bytes.TrimLeft(data, " \t\r\n"); len(c) > 0 && (c[0] == '{' || c[0] == '[') && q.setJSON(data, true) == nil {
		if media == "" {
			q.setHeader("Content-Type", "application/json")
		}
		return nil
	}
	q.fields, q.json, q.textBytes = nil, false, before
	q.addField("body", string(data))
	return nil
}

func (q *request) setHeader(name, value string) {
	q.headers, q.cleanHeaders = append(q.headers, pair{name, value}), append(q.cleanHeaders, pair{name, value})
}

func (q *request) setJSON(data []byte, many bool) error {
	q.json = true
	seen := map[pair]struct{}{}
	return flattenJSON(string(data), many, func(path, text string) {
		if harmless(text) {
			text = ""
		}
		p := pair{path, text}
		if _, again := seen[p]; again {
			return
		}
		seen[p] = struct{}{}
		q.addField(path, text)
	})
}

func (q *request) addField(path, text string) {
	q.fields = append(q.fields, pair{path, text})
	q.textBytes += len(text)
}

// repeatedFields hands over again, under names of their own, the values of form fields whose name comes more than
// once: the engine keeps transformed values by where a name lies in memory, and so may take one for another.
func repeatedFields(form string) []pair {
	pairs := formPairs(form)
	times := map[string]int{}
	for _, kv := range pairs {
		times[strings.ToLower(kv.name)]++
	}
	var out []pair
	for i, kv := range pairs {
		if times[strings.ToLower(kv.name)] > 1 {
			out = append(out, pair{kv.name + "[" + strconv.Itoa(i) + "]", kv.value})
		}
	}
	return out
}

// formPairs decodes name=value&…; what cannot be decoded stays as it is.
func formPairs(raw string) []pair {
	var out []pair
	for part := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		if d, err := url.QueryUnescape(name); err == nil {
			name = d
		}
		if d, err := url.QueryUnescape(value); err == nil {
			value = d
		}
		out = append(out, pair{strings.Clone(name), value})
	}
	return out
}
