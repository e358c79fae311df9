package postgres

import (
	"sync"
	"time"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
)

// ration is what is left while a batch is served in the order it came.
type ration struct {
	left   map[int64]int64
	wanted map[int64]int64
	before map[lineOf]string
}

func newRation(left []sharddb.AvailableRow, before []sharddb.HeldBeforeRow) *ration {
	q := &ration{left: make(map[int64]int64, len(left)), wanted: map[int64]int64{}, before: make(map[lineOf]string, len(before))}
	for _, r := range left {
		q.left[r.ProductID] = r.Available
	}
	for _, r := range before {
		q.before[lineOf{order: r.OrderID, product: r.ProductID}] = r.State
	}
	return q
}

// serve gives an order all lines it does not have yet, or none, and adds what it gave to hold. The rows are those that
// the statement Reserve answers with.
func (q *ration) serve(w *reserveWork, hold *sharddb.HoldParams) []sharddb.ReserveRow {
	rows := make([]sharddb.ReserveRow, len(w.ids))
	refused := false
	for i, id := range w.ids {
		rows[i] = sharddb.ReserveRow{ProductID: id, Quantity: w.lines[id].Quantity, Available: q.left[id],
			Before: q.before[lineOf{order: w.r.OrderID, product: id}]}
		gone := rows[i].Before == "released" || rows[i].Before == "returned"
		refused = refused || gone || (rows[i].Before == "" && rows[i].Available < rows[i].Quantity)
		if rows[i].Before == "" {
			q.wanted[id] += rows[i].Quantity
		}
	}
	for i := range rows {
		if refused || rows[i].Before != "" {
			continue
		}
		rows[i].Held = true
		q.left[rows[i].ProductID] -= rows[i].Quantity
		hold.OrderIds, hold.ProductIds = append(hold.OrderIds, w.r.OrderID), append(hold.ProductIds, rows[i].ProductID)
		hold.UserIds, hold.Quantities = append(hold.UserIds, w.r.UserID), append(hold.Quantities, rows[i].Quantity)
		hold.ExpiresAt = append(hold.ExpiresAt, timestamp(w.r.ExpiresAt))
	}
	return rows
}

// scarce remembers which products of a shard are running out: orders for them are served one by one from the start.
type scarce struct {
	mu    sync.Mutex
	until map[string]map[int64]time.Time
}

const (
	scarceFor = time.Second
	maxScarce = 10_000 // products of a shard
)

// note remembers what could not serve another batch like the one that q served.
func (s *scarce) note(node string, q *ration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	of := s.until[node]
	if of == nil {
		of = map[int64]time.Time{}
		if s.until == nil {
			s.until = map[string]map[int64]time.Time{}
		}
		s.until[node] = of
	}
	if len(of) >= maxScarce {
		clear(of)
	}
	for id, wanted := range q.wanted {
		if q.left[id] < wanted {
			of[id] = now.Add(scarceFor)
		} else {
			delete(of, id)
		}
	}
}

// any tells whether some of the reservations ask for a product that is running out.
func (s *scarce) any(node string, steps []work, at []int) bool {
	if len(at) == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.until[node]
	if len(of) == 0 {
		return false
	}
	now := time.Now()
	for _, i := range at {
		for _, id := range steps[i].reserve.ids {
			if until, ok := of[id]; ok && now.Before(until) {
				return true
			}
		}
	}
	return false
}
