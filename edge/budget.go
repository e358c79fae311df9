package edge

import (
	"sync"
	"time"
)

// budgetWindow is over how many seconds repetitions are compared with requests.
const budgetWindow = 10

// budget allows repetitions up to a share of recent requests, never less than a floor, so that a failing origin does
// not get a multiple of its load.
type budget struct {
	ratio float64
	floor int
	now   func() time.Time

	mu    sync.Mutex
	slots [budgetWindow]struct {
		second            int64
		requests, retries int
	}
}

func (b *budget) slot() (second int64, i int) {
	second = b.now().Unix()
	i = int(second % budgetWindow)
	if s := &b.slots[i]; s.second != second {
		s.second, s.requests, s.retries = second, 0, 0
	}
	return second, i
}

// request notes a request.
func (b *budget) request() {
	b.mu.Lock()
	_, i := b.slot()
	b.slots[i].requests++
	b.mu.Unlock()
}

// spend takes one repetition out of the budget, or says that none is left.
func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	second, i := b.slot()
	requests, retries := 0, 0
	for _, s := range b.slots {
		if second-s.second < budgetWindow {
			requests += s.requests
			retries += s.retries
		}
	}
	if float64(retries) >= float64(b.floor)+b.ratio*float64(requests) {
		return false
	}
	b.slots[i].retries++
	return true
}
