package bottleneck

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Advice is a bottleneck, found or foretold, with what can be done about it.
type Advice struct {
	Title      string    `json:"title"`
	Resource   string    `json:"resource"`
	Kind       string    `json:"kind"`
	Use        float64   `json:"use"`     // now; 1 is full
	Full       bool      `json:"full"`    // now
	When       time.Time `json:"when"`    // it will be full
	Seconds    float64   `json:"seconds"` // until then
	Early      float64   `json:"early"`   // seconds; with 95 % it is not before
	Late       float64   `json:"late"`    // seconds; nor after
	Evidence   []string  `json:"evidence"`
	Command    string    `json:"command"`
	Confidence float64   `json:"confidence"`        // 0 to 1
	Knee       float64   `json:"knee,omitempty"`    // requests a second, where use bends as the load grows
	Limited    string    `json:"limited,omitempty"` // then: by Contention or Coherency
	Explained  string    `json:"explanation,omitempty"`
}

// remedies by kind.
var remedies = map[string]struct{ title, command string }{
	CPU:    {"the processors of %s are full", "start another API process: stampede up --apis N+1, or stampede api on another machine; stampede load shows what one can do"},
	Pool:   {"connections to %s run out", "raise catalog.pool_size, if the server has processors to spare; otherwise stampede shard add"},
	Shard:  {"%s works at its limit", "stampede shard add, or move its hottest keys: stampede shard move"},
	HotRow: {"what has to come one after the other in %s takes all the time", "set checkout.group_commit: true and raise checkout.slots; limit purchases of the product, or put its sale behind a queue"},
	Queue:  {"the queue %s grows faster than it is worked off", "start another worker: stampede worker; stampede queue list shows which messages wait, stampede queue dead which failed"},
	Lag:    {"%s falls behind its primary", "take reads off it or give it faster disks; stampede up --replicas N+1 spreads reads; see GET /admin/replicas"},
	Memory: {"memory of %s runs full", "give the process more memory, or the cache less; stampede cache stats shows which family of keys takes it"},
}

// DefaultCommand says of each kind what Stampede has against it.
func DefaultCommand(resource string) (title, command string) {
	kind, instance, _ := strings.Cut(resource, "/")
	r, ok := remedies[kind]
	if !ok {
		return resource + " runs full", "see GET /admin/stats"
	}
	if instance == "machine" {
		instance = "this machine"
	}
	return fmt.Sprintf(r.title, instance), r.command
}

// confidence is higher the narrower the interval is, the longer it has been foretold, and when the load explains it.
func (f forecast) confidence(times, confirm int) float64 {
	if f.full {
		return 0.99
	}
	width := (f.late - f.early) / math.Max(f.seconds, 1)
	c := 0.5 + 0.3/(1+width) + 0.05*float64(min(times-confirm, 2))
	if f.follows {
		c += 0.1
	}
	return math.Round(100*math.Max(0, math.Min(c, 0.98))) / 100
}

func (f forecast) evidence(r *series) (out []string) {
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	use := r.use[len(r.use)-1]
	if f.full {
		add("it is %.0f %% full", 100*use)
	} else {
		add("it is %.0f %% full and fills by %.1f points a minute (95 %%: %.1f to %.1f), over the last %s", 100*use, 6000*f.trend.slope,
			6000*f.trend.low, 6000*f.trend.high, time.Duration(-f.since*float64(time.Second)).Round(time.Second))
	}
	if f.follows && f.demand.slope > 0 {
		load := r.load[len(r.load)-1]
		add("it follows the load: %.2f %% of it for each 100 requests a second; full at about %.0f/s, now %.0f/s", 100*100*f.demand.slope,
			load+(1-use)/f.demand.slope, load)
	}
	if r.watch.shifted(60) {
		add("its level shifted upwards %d samples ago", r.watch.shiftSince)
	}
	if r.watch.anomalous() && r.watch.z > 0 {
		add("its last value lies %.0f deviations above what is usual", r.watch.z)
	}
	return out
}
