package cache

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/rueidis"
)

// Covered is a value that carries a tag.
type Covered struct {
	Family string `json:"family"`
	Key    string `json:"key"`
	Tier   string `json:"tier"`
}

// scanPage is how many keys Redis looks at in one step.
const scanPage = 500

// Covers lists at most limit values that carry a tag: first those in this process's memory, then those in Redis. It is for
// operators: invalidating by tag needs no such list, so this one looks through everything until it has enough or ctx ends. What
// it found until then is returned with the error.
func (s *Store) Covers(ctx context.Context, tag string, limit int) ([]Covered, error) {
	var out []Covered
	for _, f := range s.members() {
		if len(out) >= limit {
			return out, nil
		}
		out = append(out, f.covers(tag, limit-len(out))...)
	}
	if s.l2 == nil || len(out) >= limit {
		return out, nil
	}
	found, err := s.l2.covers(ctx, tag, limit-len(out))
	return append(out, found...), err
}

func (f *Family[V]) covers(tag string, limit int) (out []Covered) {
	look := func(key string, e *entry[V]) bool {
		if slices.Contains(e.tags, tag) && e.fresh(f.s.gens) {
			out = append(out, Covered{f.name, key, L1.String()})
		}
		return len(out) < limit
	}
	for key, e := range f.l1.All() {
		if !look(key, e) {
			return out
		}
	}
	f.victims.each(look)
	return out
}

func (l *l2) covers(ctx context.Context, tag string, limit int) (out []Covered, err error) {
	c := l.client.Load()
	if c == nil || !l.up.Load() {
		return nil, errDown
	}
	nodes := (*c).Nodes()
	for _, node := range nodes {
		role, err := node.Do(ctx, node.B().Role().Build()).ToArray()
		if err != nil {
			return out, err
		}
		if kind, _ := role[0].ToString(); kind != "master" {
			continue
		}
		for cursor := uint64(0); ; {
			page, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(escapeGlob(l.o.Prefix)+"v:*").Count(scanPage).Build()).AsScanEntry()
			if err != nil {
				return out, err
			}
			if out, err = l.coveredIn(ctx, node, page.Elements, tag, limit, out); err != nil || len(out) >= limit {
				return out, err
			}
			if cursor = page.Cursor; cursor == 0 {
				break
			}
		}
	}
	return out, nil
}

// coveredIn looks at some keys.
func (l *l2) coveredIn(ctx context.Context, node rueidis.Client, keys []string, tag string, limit int, out []Covered) ([]Covered, error) {
	if len(keys) == 0 {
		return out, nil
	}
	cmds := make(rueidis.Commands, len(keys))
	for i, k := range keys {
		cmds[i] = node.B().Hgetall().Key(k).Build()
	}
	for i, r := range node.DoMulti(ctx, cmds...) {
		fields, err := r.AsStrMap()
		if err != nil {
			return out, err
		}
		family, key, _ := strings.Cut(strings.TrimPrefix(keys[i], l.o.Prefix+"v:"), ":")
		for name, value := range fields {
			if !strings.HasPrefix(name, "v") || len(out) >= limit {
				continue
			}
			rec, err := decodeRecord([]byte(value))
			if err != nil || !slices.Contains(rec.tags, tag) {
				continue
			}
			recs := []*record{rec}
			if l.verify(ctx, recs, false) == nil && recs[0] != nil {
				out = append(out, Covered{family, key, L2.String()})
			}
		}
	}
	return out, nil
}

// escapeGlob makes text that matches itself alone.
func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(s)
}
