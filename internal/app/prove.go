package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/prove"
)

// Proving is a running platform as package prove measures it.
type Proving struct {
	client  *running.Client
	config  string // configuration file that `up` wrote, "" for a platform elsewhere
	version string
}

// NewProving finds a platform by its data folder or operations URL.
func NewProving(data, ops, version string) (*Proving, error) {
	c, err := running.NewClient(data, ops)
	return &Proving{client: c, version: version}, err
}

// About says what and where the platform is.
func (p *Proving) About(ctx context.Context) (prove.About, error) {
	st, err := p.status(ctx)
	if err != nil {
		return prove.About{}, err
	}
	a := prove.About{URL: st.URL, Ops: p.client.Base, Token: p.client.Token, Data: st.Data, Version: p.version}
	if runsHere(st, p.client.Base) {
		a.Here, p.config = true, filepath.Join(st.Data, running.ConfigFile)
	}
	return a, nil
}

// runsHere tells whether that very platform is one that `up` runs on this machine.
func runsHere(st running.Status, ops string) bool {
	u, err := url.Parse(ops)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if u.Hostname() != "localhost" && (err != nil || !ip.IsLoopback()) {
		return false
	}
	local, err := running.ReadState(st.Data)
	return err == nil && local.PID == st.PID && local.Started.Equal(st.Started) && !errors.Is(syscall.Kill(st.PID, 0), syscall.ESRCH)
}

func (p *Proving) status(ctx context.Context) (st running.Status, err error) {
	return st, p.client.Do(ctx, "GET", "/admin/status", nil, &st)
}

// Metrics are those of all processes.
func (p *Proving) Metrics(ctx context.Context) ([]byte, error) { return p.client.Get(ctx, "/metrics") }

// Processes are those that run now.
func (p *Proving) Processes(ctx context.Context) (list []prove.Process, err error) {
	if p.config == "" {
		return nil, fmt.Errorf("%w: its processes are on another machine", prove.ErrCannot)
	}
	st, err := p.status(ctx)
	for _, proc := range st.Processes {
		if proc.PID > 0 {
			list = append(list, prove.Process{Name: proc.Name, Role: provedRole(st, proc.Name), PID: proc.PID})
		}
	}
	return list, err
}

// provedRole is what a supervised process does now.
func provedRole(st running.Status, name string) string {
	for _, c := range st.Clusters {
		switch {
		case c.Primary == name:
			return prove.RolePrimary
		case slices.Contains(c.Standbys, name):
			return prove.RoleReplica
		}
	}
	switch kind, _, _ := strings.Cut(name, "-"); kind {
	case "nats":
		return prove.RoleQueue
	case "primary": // whoever was the first primary and is none now
		return prove.RoleReplica
	default:
		return kind
	}
}

// Usage is what the processes have used.
func (p *Proving) Usage(ctx context.Context) (prove.Usage, error) {
	list, err := p.Processes(ctx)
	if err != nil {
		return prove.Usage{}, err
	}
	return prove.UsageOf(list)
}

// provePool bounds the connections of an API server that is there for a measurement: there are up to eight more than the servers
// were sized for.
const provePool = 3

// Instances are API servers like the platform's own, beside them. They write no profiles and no execution traces, as others do each minute
// and when they become slower, which those do whenever they are held to their share: in a point of seconds it would be half of the work.
func (p *Proving) Instances(_ context.Context, share float64) (prove.Instances, error) {
	if p.config == "" {
		return nil, fmt.Errorf("%w: API servers can be added where the platform is only", prove.ErrCannot)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	fleet, err := prove.NewFleet(share, func(number int) (*exec.Cmd, error) {
		cmd := exec.Command(self, "api", "--config", p.config, "--name", fmt.Sprintf("prove-%d", number), "--listen", "fd:3", "--ops", "127.0.0.1:0") //nolint:gosec // ourselves
		cmd.Env = append(roleEnv(), fmt.Sprintf("STAMPEDE_CATALOG_POOL_SIZE=%d", provePool), "STAMPEDE_LOG_LEVEL=error",
			"STAMPEDE_TELEMETRY_PROFILE=false", "STAMPEDE_TELEMETRY_FLIGHT=false")
		return cmd, nil
	})
	if err != nil {
		return nil, err
	}
	return fleet, nil
}

// Faults are the deaths of processes.
func (p *Proving) Faults(ctx context.Context) ([]prove.Fault, error) {
	return prove.ProcessFaults(ctx, p)
}

// Healthy is nil when every process runs and is ready.
func (p *Proving) Healthy(ctx context.Context) error {
	st, err := p.status(ctx)
	if err != nil {
		return err
	}
	for _, proc := range st.Processes {
		if proc.State != "running" {
			return fmt.Errorf("%s is %s: %s", proc.Name, proc.State, proc.Error)
		}
	}
	_, err = p.client.Get(ctx, "/readyz")
	return err
}

// Audit reconciles the books.
func (p *Proving) Audit(ctx context.Context) (prove.Audit, error) {
	if p.config == "" {
		return prove.Audit{}, fmt.Errorf("%w: an audit needs the databases", prove.ErrCannot)
	}
	cfg, err := config.Load(p.config, nil)
	if err != nil {
		return prove.Audit{}, err
	}
	r, err := Audit(ctx, cfg)
	a := prove.Audit{OK: r.OK}
	for _, rule := range r.Rules {
		a.Checked += rule.Checked
		for _, v := range rule.Violations[:min(3, len(rule.Violations))] {
			a.Broken = append(a.Broken, fmt.Sprintf("%s: %s: %s", rule.Name, v.Subject, v.Detail))
		}
	}
	return a, err
}
