package alert

import (
	"errors"
	"fmt"
	"time"
)

// Direction is the side on which a sample is bad.
type Direction int

// The directions.
const (
	Above Direction = iota
	Below
)

func (d Direction) String() string {
	if d == Below {
		return "below"
	}
	return "above"
}

// beyond tells whether v is on the bad side of limit.
func (d Direction) beyond(v, limit float64) bool {
	if d == Below {
		return v < limit
	}
	return v > limit
}

// Threshold holds while a sample is beyond a limit; once the alert fires, until it is back behind Clear.
type Threshold struct {
	Sample string
	Is     Direction
	Limit  float64
	Clear  float64 // on the good side of Limit; 0 is Limit itself
	If     Guard
}

func (t Threshold) check() error {
	if t.Sample == "" {
		return errors.New("the threshold has no sample")
	}
	if t.Clear != 0 && t.Is.beyond(t.Clear, t.Limit) {
		return fmt.Errorf("what clears it, %g, is %s the limit %g", t.Clear, t.Is, t.Limit)
	}
	return nil
}

func (t Threshold) judge() judge { return t }

func (t Threshold) observe(_ time.Time, m map[string]float64, firing bool) verdict {
	v, ok := sample(m, t.Sample)
	if !ok {
		return verdict{}
	}
	limit := t.Limit
	if firing && t.Clear != 0 {
		limit = t.Clear
	}
	text := fmt.Sprintf("%s is %.4g, %s %.4g", t.Sample, v, t.Is, t.Limit)
	if !t.Is.beyond(v, t.Limit) {
		text = fmt.Sprintf("%s is %.4g, no longer %s %.4g", t.Sample, v, t.Is, t.Limit)
	}
	return verdict{known: true, holds: t.Is.beyond(v, limit) && t.If.open(m), value: v, text: text}
}
