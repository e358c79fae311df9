package threshold

import (
	"errors"
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/loadsim"
)

func TestConditions(t *testing.T) {
	t.Parallel()
	l := loadsim.Latency{Count: 10, Avg: 0.1, P50: 0.05, P90: 0.12, P95: 0.15, P99: 0.2, P999: 0.3, Max: 1}
	r := &loadsim.Report{
		Summary:       loadsim.Summary{TotalRequests: 1000, Failed: 2, SuccessRate: 0.998, Throughput: 50, Orders: 7},
		ResponseTimes: map[string]loadsim.Latency{"browse": l, "all": {Count: 1000, P95: 0.5}},
	}
	for text, broken := range map[string]bool{
		"p95(browse)>100ms": true, "p95(browse)>150ms": false, "p95(browse)>=150ms": true, " p95 ( browse ) < 1s ": true, "p95>400ms": true, "p95(all)>400ms": true,
		"avg(browse)>100ms": false, "p50(browse)>=50ms": true, "p90(browse)>119ms": true, "p99(browse)<=200ms": true, "p999(browse)>300ms": false, "max(browse)>999ms": true,
		"error_rate>0.1%": true, "error_rate>0.3%": false, "error_rate>0.001": true, "success_rate<99.9%": true, "success_rate<0.9": false,
		"count(browse)<11": true, "count<1000": false, "errors>2": false, "errors>1": true, "throughput<50": false, "throughput<50.5": true, "orders<8": true,
		"p95(checkout)>1h": true, // none was made: nobody can say that it was fast enough
	} {
		c, err := Parse(text)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		why := c.Broken(r)
		if (why != "") != broken || broken && !strings.HasPrefix(why, c.Text) {
			t.Errorf("%s: %q", text, why)
		}
	}
	c, _ := Parse("p95(browse)>100ms")
	if got := c.Broken(r); got != "p95(browse)>100ms: it is 150 ms" {
		t.Errorf("%s", got)
	}
}

func TestWrongConditions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "must be like", "p95": "must be like", "p95(browse)=1s": "must be like", "p95(browse)>": "must be like", "p96>1s": "there is no \"p96\"",
		"p95(home)>1s": "there is no step \"home\"", "p95>fast": "must be a time", "p95>100": "must be a time", "p95>-1s": "must be a time", "error_rate>200%": "must be a share",
		"error_rate(browse)>1%": "of the whole run", "orders(cart)<1": "of the whole run", "orders<many": "must be a number",
	} {
		if _, err := Parse(text); !errors.Is(err, ErrSyntax) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("p95(browse)>100ms")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := Parse(text); err == nil {
			c.Broken(&loadsim.Report{})
		}
	})
}
