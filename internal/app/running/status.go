package running

import (
	"fmt"
	"time"

	"github.com/stampede-shop/stampede/internal/local"
)

// Names of processes of which there is one.
const (
	EdgeName      = "edge"
	AnalyticsName = "analytics"
)

// Status is what `stampede status` shows.
type Status struct {
	State
	Healthy   bool                  `json:"healthy"` // every process runs and is ready
	Processes []ProcessStatus       `json:"processes"`
	Clusters  []local.ClusterStatus `json:"clusters"` // PostgreSQL's primaries and who follows them
}

// ProcessStatus is one supervised process.
type ProcessStatus struct {
	Name     string    `json:"name"`
	State    string    `json:"state"`
	PID      int       `json:"pid"`
	Restarts int       `json:"restarts"`
	Since    time.Time `json:"since"`
	Address  string    `json:"address,omitempty"`
	Error    string    `json:"last_error,omitempty"`
}

// APIName is the name of the i-th API process, from 0.
func APIName(i int) string { return fmt.Sprintf("api-%d", i+1) }

// Whole says what is missing.
func (st Status) Whole() error {
	for _, p := range st.Processes {
		if p.State != string(local.StateRunning) {
			return fmt.Errorf("%s is %s: %s", p.Name, p.State, p.Error)
		}
	}
	for _, c := range st.Clusters {
		if !c.Alone.IsZero() || len(c.Standbys) > 0 && !c.Sync {
			return fmt.Errorf("cluster %d has no standby that commits go to", c.Cluster)
		}
	}
	return nil
}
