package experiment

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Choice is something that a random experiment may do.
type Choice struct {
	Fault string
	With  map[string]string
	Most  time.Duration // the longest; default 5 s
}

// Bounds of a random experiment.
const (
	calmBefore = 3 * time.Second // before the first fault
	calmAfter  = 5 * time.Second // after the last one
	shortest   = 500 * time.Millisecond
	overlaps   = 0.25 // share of faults that begin before the one before has ended
)

// RandomFaults draws faults from a menu, one after another and sometimes two at once, for a load of that length. The same seed
// and menu give the same faults.
func RandomFaults(seed uint64, length time.Duration, menu []Choice) ([]Step, error) {
	if len(menu) == 0 || length < calmBefore+calmAfter+shortest {
		return nil, fmt.Errorf("%w: nothing to choose from, or no time for it: at least %v are needed", ErrExperiment, calmBefore+calmAfter+shortest)
	}
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	var steps []Step
	end := length - calmAfter
	for at := calmBefore; at+shortest < end; {
		c := menu[rng.IntN(len(menu))]
		most := c.Most
		if most == 0 {
			most = 5 * time.Second
		}
		d := min(shortest+time.Duration(rng.Int64N(int64(most))), end-at)
		d = d.Truncate(time.Millisecond)
		steps = append(steps, Step{Fault: c.Fault, With: c.With, At: at, For: d, Optional: true})
		pause := time.Duration(rng.Int64N(2000)) * time.Millisecond
		if rng.Float64() < overlaps {
			at += (d / 2).Truncate(time.Millisecond)
		} else {
			at += d + pause
		}
	}
	return steps, nil
}
