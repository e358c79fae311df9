// Package threshold holds load reports against conditions that people write, such as p95(browse)>100ms.
package threshold

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/loadsim"
)

// ErrSyntax is what is wrong with a condition; the error that wraps it says how one looks.
var ErrSyntax = errors.New("wrong condition")

// Condition under which a report fails.
type Condition struct {
	Text   string
	metric string
	step   string
	op     string
	value  float64 // seconds, shares of one, or plain
}

// kinds of figures.
const (
	times  = "time like 100ms"
	shares = "share like 0.1%"
	plain  = "number"
)

// metrics that can be asked about, and what they are.
var metrics = map[string]string{
	"avg": times, "p50": times, "p90": times, "p95": times, "p99": times, "p999": times, "max": times,
	"error_rate": shares, "success_rate": shares,
	"count": plain, "errors": plain, "throughput": plain, "orders": plain,
}

var form = regexp.MustCompile(`^\s*([a-z0-9_]+)\s*(?:\(\s*([a-z]+)\s*\))?\s*(>=|<=|>|<)\s*(\S+)\s*$`)

// Parse reads a condition: METRIC(STEP) OP VALUE. Without a step all of them count. The metrics are avg, p50, p90, p95, p99,
// p999, max (of a step, in time), count (of a step), and of the whole run error_rate, success_rate, errors, throughput
// (requests a second), orders.
func Parse(text string) (Condition, error) {
	m := form.FindStringSubmatch(text)
	if m == nil {
		return Condition{}, fmt.Errorf("%w: %q; it must be like p95(browse)>100ms", ErrSyntax, text)
	}
	c := Condition{Text: strings.Join(strings.Fields(text), ""), metric: m[1], step: m[2], op: m[3]}
	kind, ok := metrics[c.metric]
	if !ok {
		return c, fmt.Errorf("%w: %q: there is no %q; there are avg, p50, p90, p95, p99, p999, max, count, error_rate, success_rate, errors, throughput, orders", ErrSyntax, text, c.metric)
	}
	if c.step != "" && (kind == shares || kind == plain && c.metric != "count") {
		return c, fmt.Errorf("%w: %q: %s is of the whole run, not of a step", ErrSyntax, text, c.metric)
	}
	if c.step == "" {
		c.step = "all"
	} else if c.step != "all" && !slices.Contains(loadsim.Steps(), c.step) {
		return c, fmt.Errorf("%w: %q: there is no step %q; there are %s and all", ErrSyntax, text, c.step, strings.Join(loadsim.Steps(), ", "))
	}
	if c.value, ok = parseValue(m[4], kind); !ok {
		return c, fmt.Errorf("%w: %q: %q must be a %s", ErrSyntax, text, m[4], kind)
	}
	return c, nil
}

func parseValue(text, kind string) (float64, bool) {
	switch kind {
	case times:
		d, err := time.ParseDuration(text)
		return d.Seconds(), err == nil && d >= 0
	case shares:
		number, isPercent := strings.CutSuffix(text, "%")
		v, err := strconv.ParseFloat(number, 64)
		if isPercent {
			v /= 100
		}
		return v, err == nil && v >= 0 && v <= 1
	default:
		v, err := strconv.ParseFloat(text, 64)
		return v, err == nil && v >= 0
	}
}

// Broken says in words why a report fails the condition; "" when it does not. What was not measured at all cannot hold.
func (c Condition) Broken(r *loadsim.Report) string {
	got, measured := c.of(r)
	if !measured {
		return fmt.Sprintf("%s: nothing of the kind was measured", c.Text)
	}
	var fails bool
	switch c.op {
	case ">":
		fails = got > c.value
	case ">=":
		fails = got >= c.value
	case "<":
		fails = got < c.value
	case "<=":
		fails = got <= c.value
	}
	if !fails {
		return ""
	}
	return fmt.Sprintf("%s: it is %s", c.Text, c.format(got))
}

func (c Condition) format(v float64) string {
	switch metrics[c.metric] {
	case times:
		return loadsim.FormatSeconds(v)
	case shares:
		return strconv.FormatFloat(100*v, 'g', 6, 64) + "%"
	default:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
}

// of is the figure that a condition is about; false when there was nothing to measure.
func (c Condition) of(r *loadsim.Report) (float64, bool) {
	l, s := r.ResponseTimes[c.step], r.Summary
	switch c.metric {
	case "avg":
		return l.Avg, l.Count > 0
	case "p50":
		return l.P50, l.Count > 0
	case "p90":
		return l.P90, l.Count > 0
	case "p95":
		return l.P95, l.Count > 0
	case "p99":
		return l.P99, l.Count > 0
	case "p999":
		return l.P999, l.Count > 0
	case "max":
		return l.Max, l.Count > 0
	case "error_rate":
		return 1 - s.SuccessRate, s.TotalRequests > 0
	case "success_rate":
		return s.SuccessRate, s.TotalRequests > 0
	case "count":
		return float64(l.Count), true
	case "errors":
		return float64(s.Failed), true
	case "throughput":
		return s.Throughput, true
	default:
		return float64(s.Orders), true
	}
}
