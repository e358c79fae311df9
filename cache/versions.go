package cache

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// In Redis, the clock is a hash: an epoch, the number of the last invalidation in it, and the number of the last change of a key. A
// tag's version is the number of its last invalidation, in a key of that epoch. A record is valid while epoch and versions
// are what it was stored with. A load notes the clock first; if one of its tags then has a higher version, the tag was
// invalidated while it read, and the value is not stored. An epoch is a random word and how often everything was
// cleared since. Losing the clock means a new word: everything misses.
// Losing a tag's key makes the records with that tag miss: a version once lost never comes back as the same.

// tagTTL is how long a tag's version is kept; records live shorter.
const tagTTL = 48 * time.Hour

const (
	// tickScript makes the clock if need be, moves the fields ARGV[2] and 'k' by ARGV[3] and ARGV[4] and returns {epoch, n, k}.
	// ARGV[1] is a new word.
	tickScript = `local e = redis.call('HGET', KEYS[1], 'e')
if not e then e = ARGV[1] .. '.0'; redis.call('HSET', KEYS[1], 'e', e, 'n', 0, 'k', 0) end
return {e, redis.call('HINCRBY', KEYS[1], 'n', ARGV[2]), redis.call('HINCRBY', KEYS[1], 'k', ARGV[3])}`
	// clearScript begins the next epoch and returns what tickScript does.
	clearScript = `local e = redis.call('HGET', KEYS[1], 'e')
local word, times = string.match(e or '', '^(.*)%.(%d+)$')
e = (word or ARGV[1]) .. '.' .. string.format('%d', (tonumber(times or '0') + 1))
redis.call('HSET', KEYS[1], 'e', e)
return {e, redis.call('HINCRBY', KEYS[1], 'n', 1), redis.call('HINCRBY', KEYS[1], 'k', 0)}`
	// raiseScript sets a version unless a higher one is there.
	raiseScript = `local v = redis.call('GET', KEYS[1])
if not v or tonumber(v) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
return 1`
)

// moment is a reading of the clock; the zero value means none.
type moment struct {
	epoch string
	n     uint64
}

// reading is all that the clock says.
type reading struct {
	moment
	keys uint64
}

// word is the random part of the epoch; clears counts the rest.
func (m moment) word() (word string, clears uint64) {
	word, times, _ := strings.Cut(m.epoch, ".")
	clears, _ = strconv.ParseUint(times, 10, 64)
	return word, clears
}

func (l *l2) clockKey() string { return l.o.Prefix + "clock" }

func (l *l2) tagKey(epoch, tag string) string { return l.o.Prefix + "t:" + epoch + ":" + tag }

func (l *l2) clockCommand(c rueidis.Client) rueidis.Completed {
	return c.B().Hmget().Key(l.clockKey()).Field("e", "n", "k").Build()
}

func (l *l2) tickCommand(c rueidis.Client, n, k int) rueidis.Completed {
	return eval(c, tickScript, l.clockKey(), token(), strconv.Itoa(n), strconv.Itoa(k))
}

// parseMoment reads the answer of clockCommand or a script of the clock; ok is false when there is no clock yet.
func parseMoment(r rueidis.RedisResult) (m reading, ok bool, err error) {
	parts, err := r.ToArray()
	if err != nil || len(parts) != 3 {
		return m, false, fmt.Errorf("cache: unreadable clock: %w", err)
	}
	if slices.ContainsFunc(parts, func(p rueidis.RedisMessage) bool { return p.IsNil() }) {
		return m, false, nil
	}
	if m.epoch, err = parts[0].ToString(); err != nil {
		return m, false, err
	}
	n, err := parts[1].AsInt64()
	if err != nil {
		return m, false, err
	}
	k, err := parts[2].AsInt64()
	m.n, m.keys = uint64(n), uint64(k)
	return m, err == nil, err
}

// versions reads the clock and the versions of tags; those without one are left out. Without a clock the epoch is empty.
// One exchange if the epoch is the one we expect, else two.
func (l *l2) versions(ctx context.Context, tags []string) (moment, map[string]uint64, error) {
	born, guess := l.table.g.now(), ""
	if e := l.table.epoch.Load(); e != nil {
		guess = e.epoch
	}
	for {
		res, err := l.do(ctx, func(c rueidis.Client) rueidis.Commands {
			cmds := append(make(rueidis.Commands, 0, len(tags)+1), l.clockCommand(c))
			for _, t := range tags {
				cmds = append(cmds, c.B().Get().Key(l.tagKey(guess, t)).Build())
			}
			return cmds
		})
		if err != nil {
			return moment{}, nil, err
		}
		m, ok, err := parseMoment(res[0])
		if err != nil || !ok {
			return moment{}, nil, err
		}
		if m.epoch != guess && len(tags) > 0 {
			guess = m.epoch
			continue
		}
		out := parseVersions(tags, res[1:])
		l.table.learn(born, m.epoch, out)
		return m.moment, out, nil
	}
}

func parseVersions(tags []string, res []rueidis.RedisResult) map[string]uint64 {
	out := make(map[string]uint64, len(tags))
	for i, t := range tags {
		if text, err := res[i].ToString(); err == nil {
			if v, err := strconv.ParseUint(text, 10, 64); err == nil {
				out[t] = v
			}
		}
	}
	return out
}

func (l *l2) readClock(ctx context.Context) (reading, error) {
	floor := l.floor.Load()
	res, err := l.do(ctx, func(c rueidis.Client) rueidis.Commands { return rueidis.Commands{l.clockCommand(c)} })
	if err != nil {
		return reading{}, err
	}
	return l.checked(floor, res[0])
}

// patience bounds what no shopper waits for: an invalidation that is late is worth more than one that is remembered.
func (l *l2) patience() time.Duration { return 5 * l.o.Timeout }

// tick moves the clock on by so much and reads it. It does not ask the breaker.
func (l *l2) tick(ctx context.Context, limit time.Duration, by int) (reading, error) {
	return l.clockScript(ctx, limit, func(c rueidis.Client) rueidis.Completed { return l.tickCommand(c, by, 0) })
}

// clockScript runs a script of the clock; an error if the clock has gone back.
func (l *l2) clockScript(ctx context.Context, limit time.Duration, build func(c rueidis.Client) rueidis.Completed) (reading, error) {
	floor := l.floor.Load()
	m, err := l.clockAnyway(ctx, limit, build)
	if err == nil && l.behind(floor, m.moment) {
		err = errBehind
	}
	return m, err
}

func (l *l2) clockAnyway(ctx context.Context, limit time.Duration, build func(c rueidis.Client) rueidis.Completed) (reading, error) {
	res, err := l.raw(ctx, limit, func(c rueidis.Client) rueidis.Commands { return rueidis.Commands{build(c)} })
	if err != nil {
		return reading{}, err
	}
	m, _, err := parseMoment(res[0])
	return m, err
}

// invalidate tells Redis, or remembers to. An error means that it was remembered.
func (l *l2) invalidate(ctx context.Context, w change) (reading, error) {
	ctx = context.WithoutCancel(ctx) // half an invalidation helps nobody; raw bounds it
	err := errDown
	var m reading
	if l.up.Load() || l.mending.Load() { // else what is remembered might never come to an end
		m, err = l.bump(ctx, w)
	}
	if err != nil {
		l.remember(w)
		return reading{}, fmt.Errorf("redis: %w", err)
	}
	return m, nil
}

// bump gives every tag a new version, deletes keys, or with clear begins a new epoch. It returns the clock after that.
func (l *l2) bump(ctx context.Context, w change) (m reading, err error) {
	if w.clear {
		return l.clockScript(ctx, l.patience(), func(c rueidis.Client) rueidis.Completed { return eval(c, clearScript, l.clockKey(), token()) })
	}
	for part := range slices.Chunk(w.keys, chunk) {
		if m, err = l.remove(ctx, part); err != nil {
			return m, err
		}
	}
	for part := range slices.Chunk(w.tags, chunk) {
		if m, err = l.tick(ctx, l.patience(), 1); err != nil {
			return m, err
		}
		if err := l.raise(ctx, m.moment, part); err != nil {
			return m, err
		}
	}
	return m, nil
}

func (l *l2) raise(ctx context.Context, now moment, tags []string) error {
	ttl := strconv.Itoa(int(tagTTL / time.Second))
	_, err := l.raw(ctx, l.patience(), func(c rueidis.Client) rueidis.Commands {
		cmds := make(rueidis.Commands, len(tags))
		for i, tag := range tags {
			cmds[i] = eval(c, raiseScript, l.tagKey(now.epoch, tag), strconv.FormatUint(now.n, 10), ttl)
		}
		return cmds
	})
	return err
}

// remove deletes keys, of all versions of their types, and counts that as one change.
func (l *l2) remove(ctx context.Context, keys []string) (reading, error) {
	floor := l.floor.Load()
	res, err := l.raw(ctx, l.patience(), func(c rueidis.Client) rueidis.Commands {
		cmds := make(rueidis.Commands, 0, len(keys)+1)
		for _, k := range keys {
			cmds = append(cmds, c.B().Del().Key(k).Build())
		}
		return append(cmds, l.tickCommand(c, 0, 1))
	})
	if err != nil {
		return reading{}, err
	}
	return l.checked(floor, res[len(keys)])
}

// checked reads the clock; an error if it has gone back.
func (l *l2) checked(floor *moment, r rueidis.RedisResult) (reading, error) {
	m, _, err := parseMoment(r)
	if err == nil && l.behind(floor, m.moment) {
		err = errBehind
	}
	return m, err
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
