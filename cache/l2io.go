package cache

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// maxRecord bounds a value in L2, in bytes; larger ones stay in L1.
const maxRecord = 1 << 20

// item is a record on its way to L2; epoch and versions are filled in by store.
type item struct {
	key string
	ttl time.Duration
	rec record
}

// fetch reads the records of keys, nil where there is no valid one, and the clock as it was before any load of
// theirs. Two exchanges at most; any failure is as good as nothing.
func (l *l2) fetch(ctx context.Context, keys []string) ([]*record, moment, error) {
	recs := make([]*record, len(keys))
	res, err := l.do(ctx, func(c rueidis.Client) rueidis.Commands {
		cmds := make(rueidis.Commands, 0, len(keys)+1)
		cmds = append(cmds, l.clockCommand(c))
		for _, k := range keys {
			cmds = append(cmds, c.B().Get().Key(k).Build())
		}
		return cmds
	})
	if err != nil {
		return recs, moment{}, err
	}
	now, ok, err := parseMoment(res[0])
	if err != nil {
		return recs, moment{}, err
	}
	if !ok {
		now, err = l.tick(ctx, l.o.Timeout, 0)
		return recs, now, err
	}
	var tags []string
	for i := range keys {
		data, err := res[i+1].AsBytes()
		if err != nil {
			continue // nil, or nothing that we wrote
		}
		if rec, err := decodeRecord(data); err == nil && rec.epoch == now.epoch && time.Now().Before(rec.expires) {
			recs[i] = rec
			tags = append(tags, rec.tags...)
		}
	}
	versions, err := l.versions(ctx, now.epoch, tags)
	if err != nil {
		return make([]*record, len(keys)), moment{}, err
	}
	for i, rec := range recs {
		if rec != nil && !rec.current(versions) {
			recs[i] = nil
		}
	}
	return recs, now, nil
}

func (r *record) current(versions map[string]uint64) bool {
	for i, tag := range r.tags {
		if v, ok := versions[tag]; !ok || v != r.versions[i] {
			return false
		}
	}
	return true
}

// versions reads the versions of tags; those without one are left out.
func (l *l2) versions(ctx context.Context, epoch string, tags []string) (map[string]uint64, error) {
	if len(tags) == 0 {
		return nil, nil
	}
	out := make(map[string]uint64, len(tags))
	tags = distinct(tags)
	res, err := l.do(ctx, func(c rueidis.Client) rueidis.Commands {
		cmds := make(rueidis.Commands, len(tags))
		for i, t := range tags {
			cmds[i] = c.B().Get().Key(l.tagKey(epoch, t)).Build()
		}
		return cmds
	})
	if err != nil {
		return nil, err
	}
	for i, t := range tags {
		if text, err := res[i].ToString(); err == nil {
			if v, err := strconv.ParseUint(text, 10, 64); err == nil {
				out[t] = v
			}
		}
	}
	return out, nil
}

// store writes records of loads that began at a moment. It returns how many were refused because one of their tags was, or
// may have been, invalidated since.
func (l *l2) store(ctx context.Context, began moment, items []item) (refused int, err error) {
	var tags []string
	for _, it := range items {
		tags = append(tags, it.rec.tags...)
	}
	versions, err := l.versions(ctx, began.epoch, tags)
	if err != nil {
		return 0, err
	}
	var missing []string
	for _, t := range distinct(tags) {
		if _, ok := versions[t]; !ok {
			missing = append(missing, t)
		}
	}
	if len(missing) > 0 {
		if err := l.introduce(ctx, began, missing, versions); err != nil {
			return 0, err
		}
	}
	keep := items[:0:0]
	for _, it := range items {
		if it.rec.stamp(began, versions) {
			keep = append(keep, it)
		} else {
			refused++
		}
	}
	if len(keep) == 0 {
		return refused, nil
	}
	_, err = l.do(ctx, func(c rueidis.Client) rueidis.Commands {
		cmds := make(rueidis.Commands, 0, len(keep))
		for _, it := range keep {
			cmds = append(cmds, c.B().Set().Key(it.key).Value(rueidis.BinaryString(it.rec.encode())).Px(it.ttl).Build())
		}
		return cmds
	})
	return refused, err
}

// introduce gives tags that have no version their first one. A tag's version may be missing because it was lost right after an
// invalidation: only when nothing at all was invalidated since the load began is its value known to be good.
func (l *l2) introduce(ctx context.Context, began moment, missing []string, versions map[string]uint64) error {
	res, err := l.do(ctx, func(c rueidis.Client) rueidis.Commands { return rueidis.Commands{l.clockCommand(c)} })
	if err != nil {
		return err
	}
	now, ok, err := parseMoment(res[0])
	if err != nil || !ok || now.epoch != began.epoch {
		return err
	}
	_, err = l.do(ctx, func(c rueidis.Client) rueidis.Commands {
		cmds := make(rueidis.Commands, len(missing))
		for i, t := range missing {
			// If somebody is faster, the record will not match and miss: safe.
			cmds[i] = c.B().Set().Key(l.tagKey(now.epoch, t)).Value(strconv.FormatUint(now.n, 10)).Nx().Ex(tagTTL).Build()
		}
		return cmds
	})
	if err != nil || now.n != began.n {
		return err
	}
	for _, t := range missing {
		versions[t] = now.n
	}
	return nil
}

// stamp notes epoch and versions, or refuses: a tag is newer than the load, or nobody knows.
func (r *record) stamp(began moment, versions map[string]uint64) bool {
	r.epoch = began.epoch
	r.versions = make([]uint64, len(r.tags))
	for i, t := range r.tags {
		v, ok := versions[t]
		if !ok || v > began.n {
			return false
		}
		r.versions[i] = v
	}
	return true
}

func distinct(tags []string) []string {
	if len(tags) < 2 {
		return tags
	}
	seen := make(map[string]struct{}, len(tags))
	out := make([]string, 0, len(tags))
	for _, t := range tags {
		if _, ok := seen[t]; !ok {
			seen[t] = struct{}{}
			out = append(out, t)
		}
	}
	return out
}
