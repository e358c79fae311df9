package warm

import "testing"

// Whatever lies in the store: it is refused, or fits together.
func FuzzInterruptedRun(f *testing.F) {
	f.Add([]byte(`{"id":"x","request":{"reason":"start"},"keys":["a","b"],"named":1}`), []byte(`{"id":"x","saved":"2026-01-01T00:00:00Z","tiers":{"x":{"epoch":"1","done":2}}}`))
	f.Add([]byte(`{"keys":[],"named":1}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, plan, done []byte) {
		p, d, err := decodeRun(plan, done)
		if err != nil {
			return
		}
		newWatch(p.Keys, p.Named).effect(p.Named, len(p.Keys))
		for _, tier := range d.Tiers {
			_ = p.Keys[:tier.Done]
		}
	})
}
