package cache

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/redis/rueidis"
)

// In a cluster a replica that takes over may not have heard of the last changes: what it holds of tags, values or the clock may be
// older than what others hold. So all that was stored before is given up: the clock gets a new word, as if Redis had lost its
// memory. Two things tell of it. The clock remembers who serves slots, so that it is noticed even if no process was there to see it;
// and a clock that goes backwards has been taken over by somebody who did not hear the end. A slot that moves changes nothing.

var errBehind = errors.New("cache: the clock in redis has gone back")

// giveUpScript begins a new word if the epoch is still ARGV[2], and notes who serves slots. ARGV[1] is the word, ARGV[3] the masters.
// It returns what tickScript does.
const giveUpScript = `if redis.call('HGET', KEYS[1], 'e') == ARGV[2] then
  redis.call('HSET', KEYS[1], 'e', ARGV[1] .. '.0')
  if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'm', ARGV[3]) end
end
return {redis.call('HGET', KEYS[1], 'e'), redis.call('HINCRBY', KEYS[1], 'n', 0), redis.call('HINCRBY', KEYS[1], 'k', 0)}`

// succession tells whether somebody serves slots who did not when that was last noted, and who all of them are. Without a cluster, and
// on a failure, it says no; on a failure the next beat asks again.
func (l *l2) succession(ctx context.Context) (tookOver bool, masters string) {
	if l.alone {
		return false, ""
	}
	res, err := l.raw(ctx, l.o.Timeout, func(c rueidis.Client) rueidis.Commands {
		return rueidis.Commands{c.B().Arbitrary("CLUSTER", "NODES").Build(), c.B().Hget().Key(l.clockKey()).Field("m").Build()}
	})
	if err != nil {
		if e, ok := rueidis.IsRedisErr(err); ok && strings.Contains(e.Error(), "cluster support disabled") {
			l.alone = true
		}
		return false, ""
	}
	text, err := res[0].ToString()
	serving := parseMasters(text)
	if err != nil || len(serving) == 0 {
		return false, ""
	}
	masters = strings.Join(serving, " ")
	noted, _ := res[1].ToString()
	if noted == "" {
		_, _ = l.raw(ctx, l.o.Timeout, func(c rueidis.Client) rueidis.Commands {
			return rueidis.Commands{c.B().Hsetnx().Key(l.clockKey()).Field("m").Value(masters).Build()}
		})
		return false, masters
	}
	known := strings.Fields(noted)
	return slices.ContainsFunc(serving, func(id string) bool { return !slices.Contains(known, id) }), masters
}

// parseMasters reads CLUSTER NODES: the ids of masters with slots, sorted.
func parseMasters(text string) (ids []string) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 8 && slices.Contains(strings.Split(f[2], ","), "master") {
			ids = append(ids, f[0])
		}
	}
	slices.Sort(ids)
	return ids
}

// giveUp begins a new word in place of an epoch, unless somebody has.
func (l *l2) giveUp(ctx context.Context, epoch, masters string) (reading, error) {
	return l.clockAnyway(ctx, l.patience(), func(c rueidis.Client) rueidis.Completed {
		return eval(c, giveUpScript, l.clockKey(), token(), epoch, masters)
	})
}

// behind tells whether a reading of the clock is older than one that was known before it was asked for, and if so has the mender give
// the epoch up.
func (l *l2) behind(floor *moment, m moment) bool {
	if !m.before(floor) {
		l.raiseFloor(m)
		return false
	}
	l.o.Logger.Warn("the clock in redis has gone back: everything there is given up", "from", floor.n, "to", m.n)
	l.lose(m.epoch)
	return true
}

// before tells whether a clock that showed floor has gone back to m. With another word it is another clock.
func (m moment) before(floor *moment) bool {
	if floor == nil || m.n >= floor.n {
		return false
	}
	word, _ := m.word()
	was, _ := floor.word()
	return word == was
}

// raiseFloor notes the highest number seen.
func (l *l2) raiseFloor(m moment) {
	for {
		old := l.floor.Load()
		if m.before(old) || m.epoch == "" {
			return
		}
		if l.floor.CompareAndSwap(old, &m) {
			return
		}
	}
}
