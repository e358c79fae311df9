package cache

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

const (
	// putScript stores what a load read. KEYS: the key; ARGV: value field, holder field, token, guard, record, ms to keep.
	putScript = `local r = redis.call('HMGET', KEYS[1], 'g', ARGV[2])
local ours = r[2] and string.sub(r[2], 1, string.len(ARGV[3]) + 1) == ARGV[3] .. ' '
if ours then redis.call('HDEL', KEYS[1], ARGV[2]) end
if r[1] ~= ARGV[4] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[5])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[6]) then redis.call('PEXPIRE', KEYS[1], ARGV[6]) end
return 1`
	// setScript replaces everything about a key. KEYS: the key; ARGV: value field, new guard, record, ms to keep.
	setScript = `redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3], 'g', ARGV[2])
return redis.call('PEXPIRE', KEYS[1], ARGV[4])`
	// swapScript is setScript if the guard is still the old one; the time to keep stays. ARGV: value field, new guard, record, old guard.
	swapScript = `if redis.call('HGET', KEYS[1], 'g') ~= ARGV[4] then return 0 end
local ttl = redis.call('PTTL', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3], 'g', ARGV[2])
if ttl > 0 then redis.call('PEXPIRE', KEYS[1], ttl) end
return 1`
)

func eval(c rueidis.Client, script, key string, args ...string) rueidis.Completed {
	return c.B().Eval().Script(script).Numkeys(1).Key(key).Arg(args...).Build()
}

func millis(d time.Duration) string { return strconv.FormatInt(max(d.Milliseconds(), 1), 10) }

// item is a record on its way to L2; epoch and versions are filled in by store.
type item struct {
	key   string
	grant grant
	keep  time.Duration
	rec   record
}

// store writes records of loads. It returns how many were refused because the key or one of their tags was, or may have
// been, changed since the load began. Leases that are ours end.
func (l *l2) store(ctx context.Context, items []item) (refused int, err error) {
	began := items[0].grant.began
	var tags []string
	for _, it := range items {
		if b := it.grant.began; b.epoch == began.epoch {
			began.n = min(began.n, b.n)
		}
		tags = append(tags, it.rec.tags...)
	}
	versions, fresh, err := l.stamps(ctx, began, distinct(tags))
	if err != nil {
		return 0, err
	}
	keep := items[:0:0]
	for _, it := range items {
		if it.grant.began.epoch == began.epoch && it.rec.stamp(began, versions) {
			keep = append(keep, it)
		} else {
			l.release(ctx, it.grant)
			refused++
		}
	}
	if len(keep) == 0 {
		return refused, nil
	}
	res, err := l.do(ctx, func(c rueidis.Client) rueidis.Commands {
		cmds := make(rueidis.Commands, 0, len(keep)+len(fresh))
		for _, it := range keep {
			g := it.grant
			cmds = append(cmds, eval(c, putScript, it.key, valueField(g.schema), holderField(g.schema), g.token, g.guard,
				rueidis.BinaryString(it.rec.encode()), millis(it.keep)))
		}
		return append(cmds, l.introduce(c, began, fresh)...)
	})
	if err != nil {
		return refused, err
	}
	for i := range keep {
		if done, err := res[i].AsInt64(); err == nil && done == 0 {
			refused++
		}
	}
	return refused, nil
}

// stamps are the versions that records of loads begun at a moment are stored with; fresh are the tags that have none yet and get
// began's number. A tag's version may be missing because it was lost right after an invalidation: only when nothing at
// all was invalidated since the load began is its value known to be good. A version that we know wrongly, because word of an
// invalidation is still on its way, does no harm: the record does not match and misses. Where others invalidate all the time a slow
// load never sees such quiet; so what was missing gets a version even then, and the next load finds it.
func (l *l2) stamps(ctx context.Context, began moment, tags []string) (versions map[string]uint64, fresh []string, err error) {
	versions = make(map[string]uint64, len(tags))
	var ask []string
	for _, t := range tags {
		if v, ok := l.table.known(began.epoch, t); ok {
			versions[t] = v
		} else {
			ask = append(ask, t)
		}
	}
	if len(ask) == 0 {
		return versions, nil, nil
	}
	now, asked, err := l.versions(ctx, ask)
	if err != nil {
		return nil, nil, err
	}
	var late []string
	for _, t := range ask {
		switch v, ok := asked[t]; {
		case ok && now.epoch == began.epoch:
			versions[t] = v
		case now == began:
			versions[t], fresh = now.n, append(fresh, t)
		case !ok && now.epoch != "":
			late = append(late, t)
		}
	}
	if len(late) > 0 {
		_, err = l.do(ctx, func(c rueidis.Client) rueidis.Commands { return l.introduce(c, now, late) })
	}
	return versions, fresh, err
}

// introduce gives tags their first version. If somebody is faster, the records do not match and miss: safe.
func (l *l2) introduce(c rueidis.Client, at moment, tags []string) rueidis.Commands {
	cmds := make(rueidis.Commands, len(tags))
	for i, t := range tags {
		cmds[i] = c.B().Set().Key(l.tagKey(at.epoch, t)).Value(strconv.FormatUint(at.n, 10)).Nx().Ex(tagTTL).Build()
	}
	return cmds
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
