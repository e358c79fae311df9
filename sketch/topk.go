package sketch

// Counted is a key with its estimate: Count is at most Error too high, and never too low.
type Counted struct {
	Key   string `json:"key"`
	Count uint64 `json:"count"`
	Error uint64 `json:"error"`
}

// TopK finds the keys that are seen most: space-saving (Metwally, Agrawal and El Abbadi 2005). It tracks a fixed
// number of keys; any key seen more often than Total/capacity is among them.
type TopK struct {
	keys  saving[uint64]
	total uint64
}

// NewTopK makes one that tracks capacity keys, at least one.
func NewTopK(capacity int) *TopK { return &TopK{keys: newSaving[uint64](capacity)} }

// Add counts key n times. A new key takes the place of the one seen least and inherits its count as its error.
func (t *TopK) Add(key string, n uint64) {
	t.total += n
	t.keys.add(key, n, 0)
}

// Top returns at most n keys, most seen first.
func (t *TopK) Top(n int) []Counted {
	top := t.keys.top(n)
	out := make([]Counted, len(top))
	for i, s := range top {
		out[i] = Counted{s.key, s.count, s.err}
	}
	return out
}

// Total is how much was added, after halvings.
func (t *TopK) Total() uint64 { return t.total }

// Halve divides all counts by two, so that what was popular once makes room.
func (t *TopK) Halve() {
	t.keys.scale(func(n uint64) uint64 { return n / 2 })
	t.total /= 2
}
