package cache

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// maxRecord bounds a value in L2, in bytes; larger ones stay in L1.
const maxRecord = 1 << 20

// In Redis, everything about one key is one hash, so that it lies in one slot of a cluster and goes away at once: "v" + schema is a
// record, one for each version of the type; "g" is what a load must have seen unchanged to store its result; "h" + schema is who loads,
// and until when that is believed.
func valueField(schema string) string  { return "v" + schema }
func holderField(schema string) string { return "h" + schema }

// fetch reads the records of keys, nil where there is no valid one; one whose time has come counts as valid for the time of
// stale. One exchange, or two when versions have to be asked for. deaf says that what we know of versions is not to be trusted.
func (l *l2) fetch(ctx context.Context, keys []string, schema string, deaf bool, stale time.Duration) ([]*record, error) {
	recs := make([]*record, len(keys))
	res, err := l.do(ctx, func(c rueidis.Client) rueidis.Commands {
		cmds := make(rueidis.Commands, len(keys))
		for i, k := range keys {
			cmds[i] = c.B().Hget().Key(k).Field(valueField(schema)).Build()
		}
		return cmds
	})
	if err != nil {
		return nil, err
	}
	now, any := time.Now(), false
	for i := range keys {
		data, err := res[i].AsBytes()
		if err != nil {
			continue // nil, or nothing that we wrote
		}
		if rec, err := decodeRecord(data); err == nil && now.Before(rec.expires.Add(stale)) {
			recs[i], any = rec, true
		}
	}
	if !any {
		return recs, nil
	}
	return recs, l.verify(ctx, recs, deaf)
}

// sight is what one command found under a key.
type sight struct {
	record
	there bool      // something that can be read
	valid bool      // for certain; else it has to be verified
	at    time.Time // when the answer had come
}

// peek reads one record as it lies there, with one command.
func (l *l2) peek(key, field string, now time.Time) (s sight, err error) {
	c := l.client.Load()
	if c == nil || !l.up.Load() {
		return s, errDown
	}
	ctx := l.deadlines.from(now, l.o.Timeout)
	data, err := (*c).Do(ctx, (*c).B().Hget().Key(key).Field(field).Build()).AsBytes()
	s.at = time.Now()
	switch {
	case rueidis.IsRedisNil(err):
		l.succeeded()
		return s, nil
	case err != nil:
		l.failed(err)
		return s, err
	}
	l.succeeded()
	valid, err := l.table.read(&s.record, data, s.at.UnixNano())
	s.there, s.valid = err == nil, valid // else it is nothing that we wrote
	return s, nil
}

// verify sets records to nil that are not valid any more. It asks Redis for what this process does not know for certain.
func (l *l2) verify(ctx context.Context, recs []*record, deaf bool) error {
	var open []int
	var tags []string
	for i, rec := range recs {
		if rec == nil {
			continue
		}
		known, valid := false, false
		if !deaf {
			known, valid = l.table.judge(rec)
		}
		switch {
		case !known:
			open, tags = append(open, i), append(tags, rec.tags...)
		case !valid:
			recs[i] = nil
		}
	}
	if open == nil {
		return nil
	}
	now, versions, err := l.versions(ctx, distinct(tags))
	for _, i := range open {
		if err != nil || recs[i].epoch != now.epoch || !recs[i].current(versions) {
			recs[i] = nil
		}
	}
	return err
}

func (r *record) current(versions map[string]uint64) bool {
	for i, tag := range r.tags {
		if v, ok := versions[tag]; !ok || v != r.versions[i] {
			return false
		}
	}
	return true
}

// lease asks for the right to load keys. Each grant carries what lies in Redis now, and what a load has to show to store its result;
// the clock was read before any load can begin.
func (l *l2) lease(ctx context.Context, keys []string, schema string, ttl, load time.Duration) ([]grant, error) {
	grants := make([]grant, len(keys))
	res, err := l.do(ctx, func(c rueidis.Client) rueidis.Commands {
		cmds := make(rueidis.Commands, 0, len(keys)+1)
		for i, k := range keys {
			grants[i] = grant{key: k, schema: schema, token: token()}
			cmds = append(cmds, eval(c, leaseScript, k, valueField(schema), holderField(schema), grants[i].token, millis(ttl), millis(load+ttl)))
		}
		return append(cmds, l.clockCommand(c))
	})
	if err != nil {
		return nil, err
	}
	now, ok, err := parseMoment(res[len(keys)])
	if err == nil && !ok {
		now, err = l.tick(ctx, l.o.Timeout, 0)
	}
	if err != nil {
		return nil, err
	}
	for i := range grants {
		parts, err := res[i].ToArray()
		if err != nil || len(parts) != 3 {
			return nil, err
		}
		g := &grants[i]
		owned, _ := parts[0].AsInt64()
		g.owned, g.began = owned == 1, now.moment
		g.guard, _ = parts[1].ToString()
		g.current, _ = parts[2].AsBytes()
	}
	return grants, nil
}
