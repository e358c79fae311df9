package waitroom

import (
	"context"
	"hash/maphash"
	"net/http"
	"sync"
	"time"
)

const (
	tick       = 200 * time.Millisecond
	stockEvery = time.Second // how old what is known of the stock may be
	storeLimit = 2 * time.Second
)

// Rooms are all waiting rooms of a platform. Make them with [New] and keep [Rooms.Run] running.
type Rooms struct {
	opts  Options
	list  []*room
	shop  *room // nil: none
	known known
	m     *metrics
}

// New makes the rooms. Until they run nobody waits.
func New(o Options) (*Rooms, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	q := &Rooms{opts: o, known: known{seed: maphash.MakeSeed()}}
	for _, cfg := range o.Rooms {
		q.list = append(q.list, newRoom(cfg, &q.opts, false))
	}
	if o.Shop != "" {
		q.shop = newRoom(Room{Name: o.Shop}, &q.opts, true)
		q.list = append(q.list, q.shop)
	}
	if q.m, err = newMetrics(o.Registerer, q); err != nil {
		return nil, err
	}
	q.recall()
	return q, nil
}

// recall learns how the queues stood before.
func (q *Rooms) recall() {
	ctx, cancel := context.WithTimeout(context.Background(), storeLimit)
	defer cancel()
	for _, r := range q.list {
		if err := r.admit(ctx, time.Now(), 0, 0); err != nil {
			q.opts.Log.Warn("it is not known how the waiting room stood", "room", r.Name, "error", err)
		}
	}
}

// Run moves the queues on until ctx ends.
func (q *Rooms) Run(ctx context.Context) {
	var watches sync.WaitGroup
	defer watches.Wait()
	for _, r := range q.list {
		if r.Stock != nil {
			watches.Go(func() { q.watch(ctx, r) })
		}
	}
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		q.step(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// step moves every queue on by what has passed since the last time.
func (q *Rooms) step(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	load := q.opts.Load()
	for _, r := range q.list {
		if err := r.step(ctx, time.Now(), load); err != nil && ctx.Err() == nil {
			q.opts.Log.Warn("the waiting room's numbers are not kept", "room", r.Name, "error", err)
		}
	}
}

// watch follows the stock of what a room is for, while it queues.
func (q *Rooms) watch(ctx context.Context, r *room) {
	t := time.NewTicker(stockEvery)
	defer t.Stop()
	for {
		if r.queue.Load() {
			limited, cancel := context.WithTimeout(ctx, stockEvery)
			if left, err := r.Stock(limited); err == nil {
				r.left.Store(max(0, left))
			}
			cancel()
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Open tells whether any room queues now; while none does, nothing need be asked of a request.
func (q *Rooms) Open() bool {
	for _, r := range q.list {
		if r.queue.Load() {
			return true
		}
	}
	return false
}

// ShopQueues tells whether the room of the shop as a whole queues now.
func (q *Rooms) ShopQueues() bool { return q.shop != nil && q.shop.queue.Load() }

func (q *Rooms) named(name string) *room {
	for _, r := range q.list {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// Hold names the rooms that queue and that r's session, which may be none, is not admitted to.
func (q *Rooms) Hold(r *http.Request, session string) (held []string) {
	now := time.Now()
	for _, room := range q.list {
		if room.shop || !room.queue.Load() {
			continue
		}
		if p, ok := q.find(r, room, session, now); !ok || !p.Admitted {
			held = append(held, room.Name)
		}
	}
	return held
}

// Saw notes that a session shops while there is no queue for the shop, so that it may go on when there is one.
func (q *Rooms) Saw(session string) {
	if q.shop != nil && !q.ShopQueues() && q.known.add(session, time.Now()) {
		q.shop.shops()
	}
}

// Status is how a room stands.
type Status struct {
	Name     string  `json:"name"`
	Queues   bool    `json:"queues"`
	Waiting  int64   `json:"waiting"`
	Admitted int64   `json:"admitted"`
	Rate     float64 `json:"rate"`   // admissions a second
	Coming   float64 `json:"coming"` // of those who were let in, that a second, lately
	Left     int64   `json:"left"`   // of what is waited for; -1: not known
}

// Status tells how all rooms stand.
func (q *Rooms) Status() []Status {
	list := make([]Status, len(q.list))
	for i, r := range q.list {
		r.mu.Lock()
		list[i] = Status{r.Name, r.queue.Load(), r.counts.Issued - r.counts.Admitted, r.counts.Admitted, r.rate, r.coming, r.left.Load()}
		r.mu.Unlock()
	}
	return list
}
