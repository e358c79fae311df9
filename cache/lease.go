package cache

import (
	"context"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// A lease (Nishtala and others, "Scaling Memcache at Facebook", 2013) does two things. While it lasts, no other process
// loads the key. And a result may only be stored if the key's guard is still what it was when the load began: every Set, Update,
// Delete, eviction or loss of the key changes or removes the guard. What tags were invalidated meanwhile is found out by
// their versions. A lease that is not renewed ends by itself: its holder has died.

const (
	// leaseScript KEYS: the key; ARGV: value field, holder field, token, ms of the lease, ms to keep what is new.
	// It returns {1 if ours, guard, record or nil}.
	leaseScript = `local r = redis.call('HMGET', KEYS[1], ARGV[1], 'g', ARGV[2])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local free, guard = 1, r[2]
if r[3] and tonumber(string.sub(r[3], string.find(r[3], ' ', 1, true) + 1)) > now then free = 0 end
if not guard then guard = ARGV[3]; redis.call('HSET', KEYS[1], 'g', guard) end
if free == 1 then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3] .. ' ' .. string.format('%d', now + ARGV[4])) end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[5]) then redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
return {free, guard, r[1]}`
	// renewScript KEYS: the key; ARGV: holder field, token, ms (0 gives the lease back), ms to keep the key.
	renewScript = `local h = redis.call('HGET', KEYS[1], ARGV[1])
if not h or string.sub(h, 1, string.len(ARGV[2]) + 1) ~= ARGV[2] .. ' ' then return 0 end
if ARGV[3] == '0' then return redis.call('HDEL', KEYS[1], ARGV[1]) end
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. string.format('%d', t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[3]))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 1`
)

// grant is the answer to the wish to load a key. Without owned somebody else is loading, but a result may be stored all the
// same.
type grant struct {
	key, schema string
	token       string
	owned       bool
	guard       string
	began       moment
	current     []byte // the record that is there, if any
}

// ok tells whether there is a grant at all.
func (g grant) ok() bool { return g.began.epoch != "" && g.guard != "" }

// renew keeps leases alive until stop is called. A load that is quick never gets there.
func (l *l2) renew(grants ...grant) (stop func()) {
	every := l.o.LeaseTTL / 3
	ctx, cancel := context.WithCancel(context.Background())
	var beats sync.WaitGroup
	var t *time.Timer
	var mu sync.Mutex
	stopped := false
	beat := func() {
		mu.Lock()
		if stopped {
			mu.Unlock()
			return
		}
		beats.Add(1)
		mu.Unlock()
		defer beats.Done()
		l.prolong(ctx, grants)
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			t.Reset(every)
		}
	}
	mu.Lock()
	t = time.AfterFunc(every, beat)
	mu.Unlock()
	return func() {
		mu.Lock()
		stopped = true
		t.Stop()
		mu.Unlock()
		cancel()
		beats.Wait()
	}
}

// prolong renews what is ours. A failure is not worth a word: the lease may end, and somebody else loads too.
func (l *l2) prolong(ctx context.Context, grants []grant) {
	l.holders(ctx, grants, millis(l.o.LeaseTTL))
}

// release gives leases back without a result.
func (l *l2) release(ctx context.Context, grants ...grant) {
	l.holders(context.WithoutCancel(ctx), grants, "0")
}

func (l *l2) holders(ctx context.Context, grants []grant, ms string) {
	var mine []grant
	for _, g := range grants {
		if g.ok() && g.owned {
			mine = append(mine, g)
		}
	}
	if len(mine) == 0 {
		return
	}
	_, _ = l.do(ctx, func(c rueidis.Client) rueidis.Commands {
		cmds := make(rueidis.Commands, len(mine))
		for i, g := range mine {
			cmds[i] = eval(c, renewScript, g.key, holderField(g.schema), g.token, ms, millis(2*l.o.LeaseTTL))
		}
		return cmds
	})
}
