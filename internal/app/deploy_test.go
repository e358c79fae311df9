package app

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"gopkg.in/yaml.v3"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/edgerole"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/internal/httpapi"
	"github.com/stampede-shop/stampede/internal/local"
	"github.com/stampede-shop/stampede/replica"
	"github.com/stampede-shop/stampede/telemetry/alert"
)

const top = "../../"

// describing is a registerer that notes what there will be, also of metrics that have no values yet.
type describing struct {
	mu    sync.Mutex
	names map[string]bool
}

var fqName = regexp.MustCompile(`fqName: "([^"]+)"`)

func (d *describing) Register(c prometheus.Collector) error {
	descs := make(chan *prometheus.Desc)
	go func() { c.Describe(descs); close(descs) }()
	d.mu.Lock()
	defer d.mu.Unlock()
	for desc := range descs {
		if m := fqName.FindStringSubmatch(desc.String()); m != nil {
			d.names[m[1]] = true
		}
	}
	return nil
}

func (d *describing) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		_ = d.Register(c) // never fails
	}
}

func (d *describing) Unregister(prometheus.Collector) bool { return true }

// exported are the names of the metrics of all processes, less those of parts that the files in deploy say nothing about.
func exported(t *testing.T) map[string]bool {
	t.Helper()
	d := &describing{names: map[string]bool{}}
	cfg, log := config.Default(), slog.New(slog.DiscardHandler)
	cfg.Edge.Origins = []string{"http://127.0.0.1:1"}
	n, err := edgerole.NewNode(cfg, "edge", log, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	httpapi.Middleware(http.NotFoundHandler(), httpapi.MiddlewareDeps{Registerer: d})
	replica.NewQueries(replica.QueriesOptions{Registerer: d})
	store, err := cache.NewStore(cache.Options{Registerer: d})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	if _, err := newQueueGauges(d); err != nil {
		t.Fatal(err)
	}
	dbs := newDatabases(cfg, log, d)
	t.Cleanup(dbs.close)
	primary, err := dbs.writer(t.Context(), catalogName, "postgres:///catalog?host=/nowhere", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(primary.Close)
	dbs.watch(primary, nil)
	t.Cleanup(dbs.unwatch)
	d.MustRegister(&local.Failover{})
	own, err := roleops.New().Reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range own {
		d.names[f.GetName()] = true
	}
	return d.names
}

var (
	// A name in an expression, which does not belong to a label: those follow "by (", "{" or a comma.
	metricName = regexp.MustCompile(`\b(?:stampede|go|process|queue)_[a-z0-9_]+\b`)
	suffix     = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// checkExpr reports metrics that nobody exports.
func checkExpr(t *testing.T, where, expr string, known map[string]bool) {
	t.Helper()
	found := metricName.FindAllString(expr, -1)
	for _, name := range found {
		if !known[name] && !known[suffix.ReplaceAllString(name, "")] {
			t.Errorf("%s: nobody exports %s", where, name)
		}
	}
	if len(found) == 0 && !strings.Contains(expr, "stampede:") {
		t.Errorf("%s: %q asks for no metric of ours", where, expr)
	}
}

type ruleFile struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []struct {
			Record      string            `yaml:"record"`
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

func TestPrometheusRules(t *testing.T) {
	t.Parallel()
	known := exported(t)
	raw, err := os.ReadFile(top + "deploy/prometheus/stampede.rules.yml")
	var file ruleFile
	if err == nil {
		err = yaml.Unmarshal(raw, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	records, alerts := map[string]bool{}, 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			name := r.Record + r.Alert
			checkExpr(t, name, r.Expr, known)
			for _, used := range regexp.MustCompile(`stampede:[a-z0-9_:]+`).FindAllString(r.Expr, -1) {
				if !records[used] {
					t.Errorf("%s uses %s, which is not recorded before it", name, used)
				}
			}
			if records[r.Record] = true; r.Alert == "" {
				continue
			}
			alerts++
			if _, err := os.Stat(top + r.Annotations["runbook"]); err != nil || r.Annotations["runbook"] == "" || r.Annotations["summary"] == "" {
				t.Errorf("%s: runbook %q, summary %q: %v", name, r.Annotations["runbook"], r.Annotations["summary"], err)
			}
			if s := alert.Severity(r.Labels["severity"]); s != alert.Page && s != alert.Ticket && s != alert.Info {
				t.Errorf("%s: severity %q", name, s)
			}
		}
	}
	if alerts < 10 {
		t.Errorf("only %d alerts", alerts)
	}
}

func TestPromtoolTakesTheRules(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: prometheus): the rules are only checked against our own metrics")
	}
	for _, args := range [][]string{{"check", "rules", "stampede.rules.yml"}, {"test", "rules", "stampede.test.yml"}, {"check", "config", "prometheus.yml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = top + "deploy/prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// Every rule that `up` judges has a runbook.
func TestDefaultRulesHaveRunbooks(t *testing.T) {
	t.Parallel()
	for _, r := range alert.DefaultRules(alert.Defaults{Cores: 2}) {
		raw, err := os.ReadFile(top + r.Runbook)
		if err != nil || !strings.HasPrefix(string(raw), "# "+r.Name+"\n") || !strings.Contains(string(raw), "## What to do") {
			t.Errorf("%s: %v", r.Runbook, err)
		}
	}
}

// panel is what a dashboard's panel has to have to be shown.
type panel struct {
	ID      int                      `json:"id"`
	Type    string                   `json:"type"`
	Title   string                   `json:"title"`
	GridPos struct{ H, W, X, Y int } `json:"gridPos"`
	Data    struct {
		Type string `json:"type"`
		UID  string `json:"uid"`
	} `json:"datasource"`
	FieldConfig struct {
		Defaults struct {
			Unit string `json:"unit"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
	Targets []struct {
		RefID string `json:"refId"`
		Expr  string `json:"expr"`
	} `json:"targets"`
}

func TestGrafanaDashboards(t *testing.T) {
	t.Parallel()
	known := exported(t)
	files, err := filepath.Glob(top + "deploy/grafana/*.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v %v", files, err)
	}
	uids := map[string]bool{}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		var d struct {
			UID           string  `json:"uid"`
			Title         string  `json:"title"`
			SchemaVersion int     `json:"schemaVersion"`
			Panels        []panel `json:"panels"`
			Templating    struct {
				List []struct{ Name, Type, Query string }
			} `json:"templating"`
		}
		if err == nil {
			err = json.Unmarshal(raw, &d)
		}
		if err != nil || d.UID == "" || uids[d.UID] || d.Title == "" || d.SchemaVersion < 36 || len(d.Panels) == 0 ||
			len(d.Templating.List) == 0 || d.Templating.List[0].Type != "datasource" {
			t.Errorf("%s: %v: uid %q, schema %d, %d panels", path, err, d.UID, d.SchemaVersion, len(d.Panels))
		}
		uids[d.UID] = true
		checkPanels(t, filepath.Base(path), d.Panels, known)
	}
}

func checkPanels(t *testing.T, file string, panels []panel, known map[string]bool) {
	t.Helper()
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range panels {
		where := file + ": " + p.Title
		if p.ID == 0 || ids[p.ID] || p.Title == "" || p.Data.Type != "prometheus" || p.Data.UID != "${datasource}" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
			t.Errorf("%s: id %d, data %+v, unit %q, %d targets", where, p.ID, p.Data, p.FieldConfig.Defaults.Unit, len(p.Targets))
		}
		ids[p.ID] = true
		if p.GridPos.W < 1 || p.GridPos.H < 1 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s: it does not fit: %+v", where, p.GridPos)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s lies over %s", where, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		refs := map[string]bool{}
		for _, target := range p.Targets {
			if target.RefID == "" || refs[target.RefID] {
				t.Errorf("%s: target %q", where, target.RefID)
			}
			refs[target.RefID] = true
			checkExpr(t, where, target.Expr, known)
		}
	}
}

// The check is worth nothing if it takes any name.
func TestUnknownMetricsAreFound(t *testing.T) {
	t.Parallel()
	known := exported(t)
	for _, name := range []string{"stampede_edge_requests_total", "stampede_replica_lag_seconds", "stampede_failover_alone", "stampede_queue_dead", "go_goroutines"} {
		if !known[name] {
			t.Errorf("%s is exported, but not known", name)
		}
	}
	if known["stampede_edge_request"] || known["stampede_nothing_total"] {
		t.Error("names are known that nobody exports")
	}
}
