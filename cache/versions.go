package cache

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// In Redis, the clock is a hash: a random epoch, and the number of the last invalidation in it. A tag's version is the number of its last
// invalidation, in a key of that epoch. A record is valid while epoch and versions are what it was stored with. A
// load notes the clock first; if one of its tags then has a higher version, the tag was
// invalidated while it read, and the value is not stored. Losing the clock means a new epoch: everything misses.
// Losing a tag's key makes the records with that tag miss: a version once lost never comes back as the same.

// tagTTL is how long a tag's version is kept; records live shorter.
const tagTTL = 48 * time.Hour

const (
	// tickScript makes the clock if need be, moves it by ARGV[2] and returns {epoch, number}. ARGV[1] is a new epoch.
	tickScript = `local e = redis.call('HGET', KEYS[1], 'e')
if not e then e = ARGV[1]; redis.call('HSET', KEYS[1], 'e', e, 'n', 0) end
return {e, redis.call('HINCRBY', KEYS[1], 'n', ARGV[2])}`
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

func (l *l2) clockKey() string { return l.o.Prefix + "clock" }

func (l *l2) tagKey(epoch, tag string) string { return l.o.Prefix + "t:" + epoch + ":" + tag }

func (l *l2) clockCommand(c rueidis.Client) rueidis.Completed {
	return c.B().Hmget().Key(l.clockKey()).Field("e", "n").Build()
}

// parseMoment reads the answer of clockCommand or tickScript; ok is false when there is no clock yet.
func parseMoment(r rueidis.RedisResult) (m moment, ok bool, err error) {
	parts, err := r.ToArray()
	if err != nil || len(parts) != 2 {
		return m, false, fmt.Errorf("cache: unreadable clock: %w", err)
	}
	if parts[0].IsNil() || parts[1].IsNil() {
		return m, false, nil
	}
	if m.epoch, err = parts[0].ToString(); err != nil {
		return m, false, err
	}
	n, err := parts[1].AsInt64()
	m.n = uint64(n)
	return m, err == nil, err
}

// patience bounds what no shopper waits for: an invalidation that is late is worth more than one that is remembered.
func (l *l2) patience() time.Duration { return 5 * l.o.Timeout }

// tick moves the clock on by so much and reads it. It does not ask the breaker.
func (l *l2) tick(ctx context.Context, limit time.Duration, by int) (moment, error) {
	res, err := l.raw(ctx, limit, func(c rueidis.Client) rueidis.Commands {
		return rueidis.Commands{c.B().Eval().Script(tickScript).Numkeys(1).Key(l.clockKey()).Arg(token(), strconv.Itoa(by)).Build()}
	})
	if err != nil {
		return moment{}, err
	}
	m, _, err := parseMoment(res[0])
	return m, err
}

// invalidate tells Redis, or remembers to. An error means that it was remembered.
func (l *l2) invalidate(ctx context.Context, tags []string, clear bool) error {
	ctx = context.WithoutCancel(ctx) // half an invalidation helps nobody; raw bounds it
	err := errDown
	if l.up.Load() {
		err = l.bump(ctx, tags, clear)
	}
	if err != nil {
		l.remember(tags, clear)
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// bump gives every tag a new version, or with clear the clock a new epoch.
func (l *l2) bump(ctx context.Context, tags []string, clear bool) error {
	if clear {
		_, err := l.raw(ctx, l.patience(), func(c rueidis.Client) rueidis.Commands {
			return rueidis.Commands{c.B().Hset().Key(l.clockKey()).FieldValue().FieldValue("e", token()).FieldValue("n", "0").Build()}
		})
		return err
	}
	for part := range slices.Chunk(tags, chunk) {
		now, err := l.tick(ctx, l.patience(), 1)
		if err != nil {
			return err
		}
		ttl := strconv.Itoa(int(tagTTL / time.Second))
		if _, err := l.raw(ctx, l.patience(), func(c rueidis.Client) rueidis.Commands {
			cmds := make(rueidis.Commands, len(part))
			for i, tag := range part {
				cmds[i] = c.B().Eval().Script(raiseScript).Numkeys(1).Key(l.tagKey(now.epoch, tag)).
					Arg(strconv.FormatUint(now.n, 10), ttl).Build()
			}
			return cmds
		}); err != nil {
			return err
		}
	}
	return nil
}
