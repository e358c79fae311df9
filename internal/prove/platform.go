package prove

import (
	"context"
	"errors"
	"time"
)

// ErrCannot says that something cannot be measured here; what wraps it says why. A criterion that meets it is skipped.
var ErrCannot = errors.New("cannot be measured here")

// Platform is what is put to the proof.
type Platform interface {
	// About says what and where it is.
	About(ctx context.Context) (About, error)
	// Metrics are those of all processes, as Prometheus reads them.
	Metrics(ctx context.Context) ([]byte, error)
	// Usage is what the platform's processes have used so far, by role.
	Usage(ctx context.Context) (Usage, error)
	// Instances makes API servers that are each held to a share of a core. Nobody knows of them but who asked.
	Instances(ctx context.Context, share float64) (Instances, error)
	// Faults are those that can be injected.
	Faults(ctx context.Context) ([]Fault, error)
	// Healthy is nil when everything runs.
	Healthy(ctx context.Context) error
	// Audit reconciles the shop's books.
	Audit(ctx context.Context) (Audit, error)
}

// About is what there is to know of a platform.
type About struct {
	URL     string // of the shop
	Ops     string
	Token   string // the administrator's
	Data    string // its folder, where it is on this machine
	Here    bool   // `up` runs it, on this machine
	Version string
}

// Usage is what processes have used since they were started.
type Usage struct {
	At    time.Time
	Roles map[string]Resources
}

// Resources of one role's processes.
type Resources struct {
	Processes int     `json:"processes"`
	CPU       float64 `json:"cpu_s"`         // seconds
	Memory    int64   `json:"memory_bytes"`  // shared memory by its share
	Read      int64   `json:"read_bytes"`    // from storage
	Written   int64   `json:"written_bytes"` // to storage
	Wait      float64 `json:"wait_s"`        // for a processor, by first threads: all there is of a database's processes
}

// Roles of processes. Others may exist; these are planned.
const (
	RoleEdge    = "edge"
	RoleAPI     = "api"
	RoleWorker  = "worker"
	RoleRedis   = "redis"
	RolePrimary = "primary"
	RoleReplica = "replica"
	RoleQueue   = "queue"

	roleMeasured = "API servers measured" // not the platform's own
)

// roleOrder is how roles are listed: from the shopper down.
var roleOrder = []string{RoleEdge, RoleAPI, RoleWorker, RoleRedis, RolePrimary, RoleReplica, RoleQueue}

// Instances are API servers of equal power, bounded while they are held.
type Instances interface {
	// Start starts n of them, which are not held yet, and returns where each serves.
	Start(ctx context.Context, n int) (urls []string, err error)
	// Hold holds all to their share, or lets them have what there is.
	Hold(on bool) error
	// Had is what those that serve at urls have had of their share so far.
	Had(urls []string) Had
	// Close ends them. Twice is fine.
	Close() error
}

// Had is what processes have had of their share.
type Had struct {
	CPU     float64 // seconds
	Periods int64   // of the quota, in which they wanted to run
	Stopped int64   // of these, in which it stopped them
	Stood   float64 // seconds for which they stood still for that
}

func (h Had) plus(o Had) Had {
	return Had{h.CPU + o.CPU, h.Periods + o.Periods, h.Stopped + o.Stopped, h.Stood + o.Stood}
}

func (h Had) since(before Had) Had {
	return Had{h.CPU - before.CPU, h.Periods - before.Periods, h.Stopped - before.Stopped, h.Stood - before.Stood}
}

// Fault is something that goes wrong.
type Fault struct {
	Name   string
	Inject func(ctx context.Context) error
	// Recovered is nil when it is over.
	Recovered func(ctx context.Context) error
}

// Audit is the outcome of a platform's own audit.
type Audit struct {
	OK      bool     `json:"ok"`
	Checked int64    `json:"checked"`
	Broken  []string `json:"broken,omitempty"` // some of the rows that break a rule
}

// since is what was used between two looks.
func (u Usage) since(before Usage) map[string]Resources {
	out := map[string]Resources{}
	for role, r := range u.Roles {
		b := before.Roles[role]
		out[role] = Resources{r.Processes, max(0, r.CPU-b.CPU), r.Memory, max(0, r.Read-b.Read), max(0, r.Written-b.Written), max(0, r.Wait-b.Wait)}
	}
	return out
}
