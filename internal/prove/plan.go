package prove

import (
	"errors"
	"fmt"
	"math"

	"github.com/stampede-shop/stampede/usl"
)

// Target is what is planned for.
type Target struct {
	Orders  float64 `json:"orders_per_min"` // on average
	Views   float64 `json:"views_per_min"`  // requests that reach an edge, on average
	Peak    float64 `json:"peak_factor"`    // how many times the average the peak is
	Regions int     `json:"regions"`        // shoppers are spread over them evenly
	Hot     float64 `json:"hot_share"`      // of the orders at the peak, those for one and the same product

	Cores       int     `json:"cores_per_server"`
	GiBPerCore  float64 `json:"gib_per_core"`
	Utilisation float64 `json:"utilisation"` // of processors, at the peak
}

// Defaults of a target.
const (
	planCores       = 8
	planGiBPerCore  = 4
	planUtilisation = 0.6
	minutesInMonth  = 730 * 60
)

// ErrTarget says what is wrong with a target, or with what was measured.
var ErrTarget = errors.New("nothing can be planned")

// Part is one kind of server of a plan.
type Part struct {
	Role      string  `json:"role"`
	Name      string  `json:"name"`
	Cores     float64 `json:"cores"`      // busy at the peak, all together
	Servers   int     `json:"servers"`    // all together
	PerServer int     `json:"per_server"` // cores
	Head      float64 `json:"head_room"`  // how many times the peak these servers would take
	Why       string  `json:"why"`
	Scales    string  `json:"scales"` // how there can be more of them
}

// Planned is the outcome.
type Planned struct {
	Target Target    `json:"target"`
	Parts  []Part    `json:"parts"`
	Limit  string    `json:"first_limit"`
	Limits []string  `json:"limits"`  // in the order in which they are met
	Month  Month     `json:"monthly"` // what it costs
	Each   float64   `json:"per_transaction"`
	Prices Prices    `json:"prices"`
	Checks []HoldOut `json:"checks,omitempty"`
}

// Month is what a month costs.
type Month struct {
	Servers float64 `json:"servers"`
	IO      float64 `json:"io"`
	Egress  float64 `json:"egress"`
	Total   float64 `json:"total"`
}

// kindOf server: how a role is bought.
type kindOf struct {
	role, name string
	single     bool // one core each: it works on one thread
	regional   bool // every region has its own
	least      int  // per region or in all
	copies     int  // further servers for each that works, which take over
	scales     string
}

var kindsOf = []kindOf{
	{RoleEdge, "edges", false, true, 2, 0, "our own: each stands alone; more of them, behind DNS or anycast"},
	{RoleAPI, "API servers", false, true, 2, 0, "our own: they share nothing but Redis, databases and the bus of purges"},
	{RoleRedis, "Redis nodes", true, true, 1, 1, "Redis Cluster: masters by hash slot, a replica each"},
	{RolePrimary, "shard primaries", false, false, 1, 2, "PostgreSQL, under Patroni or an operator; stampede shard add moves keys online"},
	{RoleReplica, "catalogue replicas", false, true, 2, 0, "PostgreSQL streaming replicas"},
	{RoleQueue, "queue servers", false, false, 3, 0, "NATS cluster: streams of three copies, spread over its servers"},
	{RoleWorker, "workers", false, false, 2, 0, "our own: consumers of one durable share its messages"},
}

// Plan says what a target takes.
func Plan(c Costs, target Target, p Prices) (*Planned, error) {
	if err := target.complete(); err != nil {
		return nil, err
	}
	if len(c.View) == 0 || len(c.Order) == 0 {
		return nil, fmt.Errorf("%w: no costs were measured; run stampede prove, or plan with --measure", ErrTarget)
	}
	out := &Planned{Target: target, Prices: p, Checks: c.Checks}
	views, orders := target.Views*target.Peak/60, target.Orders*target.Peak/60
	var limits []limit
	for _, k := range kindsOf {
		part, l := k.size(c, target, views, orders)
		out.Parts = append(out.Parts, part)
		limits = append(limits, l...)
	}
	limits = append(limits, hot(c, target, orders)...)
	out.rank(limits)
	out.price(c)
	return out, nil
}

func (t *Target) complete() error {
	def := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	def(&t.Peak, 1)
	def(&t.GiBPerCore, planGiBPerCore)
	def(&t.Utilisation, planUtilisation)
	if t.Cores == 0 {
		t.Cores = planCores
	}
	if t.Regions == 0 {
		t.Regions = 1
	}
	switch {
	case !(t.Orders >= 0 && t.Orders < 1e9) || !(t.Views >= 0 && t.Views < 1e12) || t.Orders+t.Views == 0:
		return fmt.Errorf("%w: orders and views a minute must be 0 or more, one of them above 0", ErrTarget)
	case !(t.Peak >= 1 && t.Peak <= 10_000):
		return fmt.Errorf("%w: a peak factor of %v; 1 or more", ErrTarget, t.Peak)
	case t.Regions < 1 || t.Regions > 1000 || t.Cores < 1 || t.Cores > 1024:
		return fmt.Errorf("%w: %d regions, %d cores a server; both are 1 to about a thousand", ErrTarget, t.Regions, t.Cores)
	case !(t.Utilisation > 0 && t.Utilisation <= 1) || !(t.GiBPerCore > 0) || !(t.Hot >= 0 && t.Hot <= 1):
		return fmt.Errorf("%w: utilisation is a share above 0, GiB per core are above 0, the hot product's orders a share", ErrTarget)
	}
	return nil
}

// limit is something that is full at some multiple of the peak.
type limit struct {
	head float64
	text string
}

// size is how many servers of a kind it takes. Those that compete for what they share are reckoned by the scalability law.
func (k kindOf) size(c Costs, t Target, views, orders float64) (Part, []limit) {
	part := Part{Role: k.role, Name: k.name, Scales: k.scales, PerServer: t.Cores}
	part.Cores = views*c.View[k.role] + orders*c.Order[k.role]
	if k.single {
		part.PerServer = 1
	}
	groups := 1
	if k.regional {
		groups = t.Regions
	}
	power := float64(part.PerServer) * t.Utilisation
	law := usl.Law{Lambda: power}
	if k.role == RoleAPI && c.Law != nil {
		law.Sigma, law.Kappa = c.Law.Sigma, c.Law.Kappa
	}
	need := part.Cores / float64(groups)
	n, ok := law.Needed(need)
	var limits []limit
	if best, more := k.split(law, part.Cores, groups); !ok || max(n, k.least)*groups > best*more {
		// As many as are of use in each group, and more groups.
		if !ok {
			limits = append(limits, limit{float64(groups) * law.Throughput(float64(best)) / part.Cores, fmt.Sprintf("%s: by contention and coherency as measured no number of them in %d groups is enough; %d independent groups of %d are reckoned with", k.name, groups, more, best)})
		}
		groups, n = more, best
	}
	n = max(n, k.least)
	part.Head = law.Throughput(float64(n)) * float64(groups) / max(part.Cores, 1e-12)
	part.Servers = n * groups * (1 + k.copies)
	part.Why = k.why(part, n, groups, need, ok)
	if top := law.Limit(); ok && !math.IsInf(top, 1) && part.Cores > 0 {
		limits = append(limits, limit{top / need, fmt.Sprintf("%s: contention and coherency; beyond this they need to be independent groups", k.name)})
	}
	return part, limits
}

// split is how many groups of how many servers it takes when a group has no more of them than are of use.
func (k kindOf) split(law usl.Law, cores float64, least int) (size, groups int) {
	size = max(bestSize(law), k.least)
	return size, max(int(math.Ceil(cores/law.Throughput(float64(size)))), least)
}

// bestSize is the largest group in which the last server still adds two thirds of what it would alone.
func bestSize(l usl.Law) int {
	n := 1
	for n < 10_000 && l.Throughput(float64(n+1))-l.Throughput(float64(n)) >= l.Lambda*2/3 {
		n++
	}
	return n
}

func (k kindOf) why(p Part, n, groups int, need float64, ok bool) string {
	text := fmt.Sprintf("%.3g cores busy at the peak", p.Cores)
	if groups > 1 {
		text += fmt.Sprintf(", %d in each of %d groups", n, groups)
	}
	if ok && n == k.least && need < 0.5*float64(n*p.PerServer)*planUtilisation {
		text += "; the least that survives the loss of one"
	}
	if k.copies > 0 {
		text += fmt.Sprintf("; each with %d that can take over", k.copies)
	}
	return text
}

// hot is the one limit that more servers do not move: a product lives on one shard.
func hot(c Costs, t Target, orders float64) []limit {
	if c.Hot == 0 || t.Hot == 0 || orders == 0 {
		return nil
	}
	return []limit{{c.Hot / (orders * t.Hot), fmt.Sprintf("one product: %.0f orders/s of it were measured, and it lives on one shard; %.3g are wanted", c.Hot, orders*t.Hot)}}
}

// rank puts limits in the order in which a growing shop meets them.
func (out *Planned) rank(limits []limit) {
	for _, p := range out.Parts {
		if p.Cores > 0 {
			limits = append(limits, limit{p.Head, fmt.Sprintf("%s: these %d are full; more can be had", p.Name, p.Servers)})
		}
	}
	for len(limits) > 0 {
		first := 0
		for i := range limits {
			if limits[i].head < limits[first].head {
				first = i
			}
		}
		out.Limits = append(out.Limits, fmt.Sprintf("at %.2f times this peak: %s", limits[first].head, limits[first].text))
		limits = append(limits[:first], limits[first+1:]...)
	}
	if len(out.Limits) > 0 {
		out.Limit = out.Limits[0]
	}
}

// price reckons a month: servers stand all the time, the rest follows the average.
func (out *Planned) price(c Costs) {
	p, t := out.Prices, out.Target
	views, orders := t.Views*minutesInMonth, t.Orders*minutesInMonth
	for _, part := range out.Parts {
		cores := float64(part.Servers * part.PerServer)
		out.Month.Servers += cores * (p.VCPUHour + t.GiBPerCore*p.MemoryHour) * minutesInMonth / 60
	}
	out.Month.Egress = (views + 2*orders) * c.Egress / gib * p.EgressGiB
	out.Month.IO = orders * (c.Written + c.Read) / 1024 / p.IOKiB / 1e6 * p.IOMillion
	out.Month.Total = out.Month.Servers + out.Month.Egress + out.Month.IO
	if orders > 0 {
		out.Each = out.Month.Total / orders
	}
}
