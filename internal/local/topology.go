package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// topology says on which primary each shard is. It is recorded with the data, so that shards stay where
// they are when their number, or the number of primaries, grows.
type topology struct {
	Clusters int            `json:"clusters"`
	Shards   map[string]int `json:"shards"` // shard id to primary, from 1
	// Added is how many of the shards were brought in while the platform ran: they are there whatever number is asked for.
	Added int `json:"added,omitempty"`
}

// ErrFewer is returned when fewer shards or primaries are asked for than there is data on.
var ErrFewer = errors.New("the data would be left out")

func shardID(n int) string { return fmt.Sprintf("shard%d", n) }

func topologyFile(pgRoot string) string { return filepath.Join(pgRoot, "topology.json") }

func readTopology(pgRoot string) (topology, error) {
	t := topology{Shards: map[string]int{}}
	b, err := os.ReadFile(topologyFile(pgRoot))
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal(b, &t); err != nil {
		return t, fmt.Errorf("%s is broken: %w", topologyFile(pgRoot), err)
	}
	return t, nil
}

// grow gives every new shard to the primary that has the fewest, and refuses to lose what is there.
func (t topology) grow(shards, clusters int) (topology, error) {
	n := t.highest()
	if shards >= n-t.Added {
		shards = max(shards, n)
	}
	if shards < n {
		return t, fmt.Errorf("%w: the data has %d shards and --shards says %d; use %d or more, or start over with --fresh",
			ErrFewer, n, shards, n)
	}
	if clusters < t.Clusters {
		return t, fmt.Errorf("%w: the data is on %d primaries and --clusters says %d; use %d or more, or start over with --fresh",
			ErrFewer, t.Clusters, clusters, t.Clusters)
	}
	out := topology{Clusters: clusters, Added: t.Added, Shards: make(map[string]int, shards)}
	load := make([]int, clusters+1)
	for id, on := range t.Shards {
		out.Shards[id] = on
		load[on]++
	}
	for n := 1; n <= shards; n++ {
		if out.Shards[shardID(n)] != 0 {
			continue
		}
		best := 1
		for k := 2; k <= clusters; k++ {
			if load[k] < load[best] {
				best = k
			}
		}
		out.Shards[shardID(n)] = best
		load[best]++
	}
	return out, nil
}

// highest is the number of the last shard.
func (t topology) highest() (n int) {
	for id := range t.Shards {
		if i, err := strconv.Atoi(strings.TrimPrefix(id, "shard")); err == nil {
			n = max(n, i)
		}
	}
	return n
}

func (t topology) write(pgRoot string) error {
	b, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(topologyFile(pgRoot), append(b, '\n'), 0o644)
}

// on lists the databases of a primary: the catalogue on the first, and its shards.
func (t topology) on(cluster int) []string {
	var names []string
	if cluster == 1 {
		names = append(names, catalogDB)
	}
	for n := 1; n <= len(t.Shards); n++ {
		if t.Shards[shardID(n)] == cluster {
			names = append(names, shardID(n))
		}
	}
	return names
}

// record notes that the databases of one primary have been made. Until then nothing is on them, and the
// next run may still choose otherwise.
func (l *Layout) record(root string, plan topology, cluster int) error {
	l.recording.Lock()
	defer l.recording.Unlock()
	t, err := readTopology(root)
	if err != nil {
		return err
	}
	t.Clusters = max(t.Clusters, cluster)
	for id, on := range plan.Shards {
		if on == cluster {
			t.Shards[id] = on
		}
	}
	return t.write(root)
}
