package experiment

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ErrExperiment says what is wrong with an experiment's description.
var ErrExperiment = errors.New("wrong experiment")

// Metrics are figures by name, such as success_rate or p99(checkout). Times are seconds, shares from 0 to 1. What was not
// measured is not there.
type Metrics map[string]float64

// Condition is METRIC OP VALUE, such as p99(browse) < 500ms. Times have a unit, shares a percent sign.
type Condition struct {
	Text   string
	metric string
	op     string
	value  float64
	format func(float64) string
}

var form = regexp.MustCompile(`^([a-z0-9_]+(?:\([a-z_]+\))?)\s*(>=|<=|>|<|==)\s*(\S+)$`)

// ParseCondition reads a condition.
func ParseCondition(text string) (Condition, error) {
	m := form.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return Condition{}, fmt.Errorf("%w: condition %q; it must be like p99(browse) < 500ms or success_rate >= 99.9%%", ErrExperiment, text)
	}
	c := Condition{Text: strings.Join(m[1:], " "), metric: m[1], op: m[2]}
	var err error
	switch number, percent := strings.CutSuffix(m[3], "%"); {
	case percent:
		c.value, err = strconv.ParseFloat(number, 64)
		c.value /= 100
		c.format = func(v float64) string { return strconv.FormatFloat(100*v, 'f', 4, 64) + " %" }
	case strings.HasSuffix(m[3], "s"):
		var d time.Duration
		d, err = time.ParseDuration(m[3])
		c.value = d.Seconds()
		c.format = formatSeconds
	default:
		c.value, err = strconv.ParseFloat(m[3], 64)
		c.format = func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	}
	if err != nil {
		return c, fmt.Errorf("%w: condition %q: %w", ErrExperiment, text, err)
	}
	return c, nil
}

func formatSeconds(v float64) string {
	return time.Duration(v * float64(time.Second)).Round(10 * time.Microsecond).String()
}

// Holds tells whether a condition holds, and in words what was measured.
func (c Condition) Holds(m Metrics) (holds bool, got string) {
	v, ok := m[c.metric]
	if !ok {
		return false, "not measured"
	}
	switch c.op {
	case ">":
		holds = v > c.value
	case ">=":
		holds = v >= c.value
	case "<":
		holds = v < c.value
	case "<=":
		holds = v <= c.value
	default:
		holds = v == c.value
	}
	return holds, c.format(v)
}

// UnmarshalText reads a condition from YAML.
func (c *Condition) UnmarshalText(text []byte) (err error) {
	*c, err = ParseCondition(string(text))
	return err
}

// MarshalText writes it.
func (c Condition) MarshalText() ([]byte, error) { return []byte(c.Text), nil }
