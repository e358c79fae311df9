package httpcache

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// Cache keeps answers. Make it with [New], put it in front of a handler with [Cache.Handler], end it with [Cache.Close].
type Cache struct {
	o      Options
	mem    *memory
	purges *purges
	disk   *disk // nil: none
	counts counts

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // fetches and the disk's writer
	closed sync.Once

	background chan struct{} // places for refreshing in the background

	mu      sync.Mutex
	ended   bool
	flights map[string]*flight
	flown   map[string]int // by address, how many flights
}

// New makes a Cache, reading what Dir holds.
func New(o Options) (*Cache, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Cache{o: o, mem: newMemory(o.Memory, o.MaxVariants), purges: newPurges(), flights: map[string]*flight{}, flown: map[string]int{},
		background: make(chan struct{}, o.MaxBackground)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if o.Dir != "" {
		if c.disk, err = openDisk(o, c.purges); err != nil {
			c.cancel()
			return nil, err
		}
		c.wg.Go(c.disk.write)
	}
	return c, nil
}

// Close ends fetches that run in the background, writes to the disk what waits for it and lets go of Dir. It may be
// called again.
func (c *Cache) Close() {
	c.closed.Do(func() {
		c.mu.Lock()
		c.ended = true
		c.mu.Unlock()
		c.cancel()
		if c.disk != nil {
			c.disk.close()
		}
	})
	c.wg.Wait()
}

// question is what a request asks of the cache.
type question struct {
	key, target string
	scheme      string
	header      http.Header // the client's
	sent        http.Header // what of it the origin saw
	shared      bool        // the answer depends on no cookie
	since       uint64      // count of purges before the origin was asked
}

func (c *Cache) question(r *http.Request) *question {
	q := &question{target: target(r), scheme: schemeOf(r), header: r.Header}
	if raw := r.URL.RawQuery; raw != "" && c.o.Query != nil {
		if sorted := c.o.Query(raw); sorted != raw {
			q.target = q.target[:len(q.target)-len(raw)-1]
			if sorted != "" {
				q.target += "?" + sorted
			}
		}
	}
	host := r.Host
	if f := r.Header.Get("X-Forwarded-Host"); f != "" {
		host = f
	}
	q.key = keyOf(q.scheme, host, q.target)
	q.shared = c.o.Shared != nil && c.o.Shared(r)
	return q
}

// lookup finds the entry for q and how it may be used; what was purged is dropped.
func (c *Cache) lookup(q *question, now int64) (*entry, state) {
	r := find(c.mem, q.key)
	if r == nil && c.disk != nil {
		if r = c.fromDisk(q.key); r == nil {
			return nil, gone
		}
	}
	if r == nil {
		return nil, gone
	}
	r.touch()
	for _, e := range r.list() {
		if !e.matches(q) {
			continue
		}
		s := c.stateOf(e, now)
		if s == gone {
			c.forget(e)
			continue
		}
		return e, s
	}
	return nil, gone
}

func (c *Cache) forget(e *entry) {
	c.mem.drop(e)
	if c.disk != nil {
		c.disk.drop(e)
	}
}

func (c *Cache) keep(e *entry) {
	c.mem.put(e)
	c.counts.stored.Add(1)
	if c.disk != nil {
		c.disk.put(e)
	}
}

func (c *Cache) now() time.Time { return c.o.Now() }
