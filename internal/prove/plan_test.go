package prove

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/usl"
)

func measuredCosts() Costs {
	return Costs{
		View:   map[string]float64{RoleEdge: 40e-6, RoleAPI: 20e-6, RoleReplica: 5e-6, RoleRedis: 2e-6},
		Order:  map[string]float64{RoleEdge: 400e-6, RoleAPI: 900e-6, RolePrimary: 1500e-6, RoleWorker: 300e-6, RoleQueue: 100e-6, RoleRedis: 10e-6},
		Egress: 2700, Written: 20_000, Hot: 1000,
	}
}

func part(t *testing.T, p *Planned, role string) Part {
	t.Helper()
	for _, x := range p.Parts {
		if x.Role == role {
			return x
		}
	}
	t.Fatalf("no %s in %+v", role, p.Parts)
	return Part{}
}

// By hand: 600,000 views a minute five times over are 50,000/s, of 40 µs each at the edge: 2 cores of 4.8 a server may use.
func TestPlanByHand(t *testing.T) {
	t.Parallel()
	p, err := Plan(measuredCosts(), Target{Orders: 6000, Views: 600_000, Peak: 5, Hot: 0.5}, DefaultPrices())
	if err != nil {
		t.Fatal(err)
	}
	edge, primary, redis := part(t, p, RoleEdge), part(t, p, RolePrimary), part(t, p, RoleRedis)
	if edge.Servers != 2 || edge.Cores < 2.19 || edge.Cores > 2.21 {
		t.Errorf("%+v", edge)
	}
	if primary.Servers != 3 || redis.PerServer != 1 || redis.Servers != 2 || part(t, p, RoleQueue).Servers != 3 {
		t.Errorf("%+v %+v", primary, redis)
	}
	// 500 orders/s at the peak, half of them for one product of which 1,000/s are possible: four times that. 0.75 of 4.8 cores are busy.
	if !strings.Contains(strings.Join(p.Limits, "\n"), "at 4.00 times this peak: one product") {
		t.Errorf("%q", p.Limits)
	}
	month := p.Month.Servers + p.Month.Egress + p.Month.IO
	if p.Month.Total != month || p.Each <= 0 || p.Each != month/(6000*730*60) {
		t.Errorf("%+v %v", p.Month, p.Each)
	}
	var b strings.Builder
	if err := p.WriteText(&b, 100); err != nil || !strings.Contains(b.String(), "shard primaries") || !strings.Contains(b.String(), "Patroni") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// More is never planned with less, and what is planned is enough.
func TestPlansAreEnough(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := measuredCosts()
		if rapid.Bool().Draw(t, "law") {
			c.Law = &usl.Law{Lambda: 500, Sigma: rapid.Float64Range(0, 0.3).Draw(t, "sigma"), Kappa: rapid.Float64Range(0, 0.02).Draw(t, "kappa")}
		}
		target := Target{
			Orders: rapid.Float64Range(0, 1e6).Draw(t, "orders"), Views: rapid.Float64Range(1, 5e8).Draw(t, "views"),
			Peak: rapid.Float64Range(1, 50).Draw(t, "peak"), Regions: rapid.IntRange(1, 20).Draw(t, "regions"),
		}
		p, err := Plan(c, target, DefaultPrices())
		if err != nil {
			t.Fatal(err)
		}
		target.Views, target.Orders = 2*target.Views, 2*target.Orders
		twice, err := Plan(c, target, DefaultPrices())
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range p.Parts {
			if x.Head < 0.999 {
				t.Fatalf("%s take %.3f of the peak: %+v", x.Name, x.Head, x)
			}
			if twice.Parts[i].Servers < x.Servers {
				t.Fatalf("%d %s, %d for twice as much", x.Servers, x.Name, twice.Parts[i].Servers)
			}
		}
		if twice.Month.Total < p.Month.Total || p.Limit == "" || p.Limit != p.Limits[0] {
			t.Fatalf("%+v\n%+v", p, twice)
		}
	})
}

func TestPlanNeedsFigures(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]Target{
		"nothing": {}, "negative": {Orders: -1, Views: 10}, "peak": {Views: 1, Peak: 0.5}, "regions": {Views: 1, Regions: -1}, "share": {Views: 1, Utilisation: 2}, "hot": {Views: 1, Hot: 2},
	} {
		if _, err := Plan(measuredCosts(), target, DefaultPrices()); !errors.Is(err, ErrTarget) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Plan(Costs{}, Target{Views: 1}, DefaultPrices()); !errors.Is(err, ErrTarget) {
		t.Errorf("%v", err)
	}
}

func TestPrices(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "new", "prices.yaml")
	if err := WritePrices(file); err != nil {
		t.Fatal(err)
	}
	raw, _ := os.ReadFile(file)
	edited := strings.Replace(string(raw), "vcpu_hour: 0.04", "vcpu_hour: 400", 1)
	if err := os.WriteFile(file, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WritePrices(file); err != nil { // leaves what is there
		t.Fatal(err)
	}
	p, err := ReadPrices(file)
	if err != nil || p.VCPUHour != 400 || p.EgressGiB != DefaultPrices().EgressGiB {
		t.Errorf("%v %+v", err, p)
	}
	e := p.expenses(map[string]Resources{"a": {CPU: 18, Memory: gib, Written: 16 << 20}, "b": {CPU: 18}}, gib, 3600, 2)
	if e.CPU != 4 || e.Memory != p.MemoryHour/2 || e.Egress != p.EgressGiB/2 || e.IO != 1024/1e6*p.IOMillion/2 || e.Total != e.CPU+e.Memory+e.IO+e.Egress {
		t.Errorf("%+v", e)
	}
	for _, wrong := range []string{"", "vcpu_hour: -1", "utilisation: 0", "speed: 1", strings.Replace(edited, "utilisation: 0.5", "utilisation: 5", 1)} {
		if _, err := parsePrices([]byte(wrong)); !errors.Is(err, ErrPrices) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// The tables of docs/scale.md come from a report alone.
func TestShops(t *testing.T) {
	t.Parallel()
	c := measuredCosts()
	c.Checks = []HoldOut{{"a figure", 3, 2}}
	var b strings.Builder
	if err := (&Report{Costs: &c, Cores: 2}).WriteShops(&b, DefaultPrices()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| small | national | largest |", "489,000,000 requests and 50,000 orders", "| edges (cores busy at the peak) | 2 (", "| a figure | 3 | 2 | +50 % |"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	for line := range strings.Lines(b.String()) {
		if n := strings.Count(line, "|"); n != 0 && n != 5 {
			t.Errorf("%d columns: %s", n-1, line)
		}
	}
	if err := (&Report{}).WriteShops(&b, DefaultPrices()); !errors.Is(err, ErrTarget) {
		t.Error(err)
	}
}
