package warm

import "testing"

// Whatever lies in the store: it is refused, or fits together.
func FuzzInterruptedRun(f *testing.F) {
	f.Add([]byte(`{"request":{"reason":"start"},"keys":["a","b"],"named":1,"saved":"2026-01-01T00:00:00Z","tiers":{"x":{"epoch":"1","done":2}}}`))
	f.Add([]byte(`{"keys":[],"named":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := decodeRun(data)
		if err != nil {
			return
		}
		newWatch(i.Keys, i.Named).effect(i.Named, len(i.Keys))
		for _, p := range i.Tiers {
			_ = i.Keys[:p.Done]
		}
	})
}
