package pg

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Size is what a machine can give to the servers of one platform.
type Size struct {
	Memory    int64 // bytes of the machine
	Instances int   // servers that share it
	Disk      int64 // bytes of log that may be kept for a replica that is behind; 0 is 2 GiB
}

// MaxConnections is how many connections a server accepts, five of them for superusers alone.
const MaxConnections = 300

const (
	mib = 1 << 20
	gib = 1 << 30
)

// Durable are settings for a server whose data matters: everything acknowledged is on disk. An eighth of
// the memory is for the servers' own caches, together; the file cache of the system does the rest. On
// 24 GiB with three servers each gets 1 GiB, on 4 GiB 170 MiB.
func Durable(z Size) Settings {
	if z.Disk == 0 {
		z.Disk = 2 * gib
	}
	shared := clamp(z.Memory/8/int64(max(z.Instances, 1)), 64*mib, gib)
	return common().With(Settings{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
		"shared_buffers":       mb(shared),
		"effective_cache_size": mb(clamp(z.Memory/2, 256*mib, 64*gib)),
		"work_mem":             mb(clamp(z.Memory/2048, 4*mib, 16*mib)),
		"maintenance_work_mem": mb(clamp(z.Memory/64, 64*mib, 512*mib)),
		"wal_writer_delay":     "20ms", // what commits that do not wait for the disk (edits of carts) may lose: three times that at most
		"wal_buffers":          "16MB", "min_wal_size": "256MB", "max_wal_size": "2GB",
		"checkpoint_timeout": "15min", "wal_keep_size": "64MB",
		"max_slot_wal_keep_size": mb(z.Disk),
		"max_connections":        strconv.Itoa(MaxConnections), "superuser_reserved_connections": "5",
		// many short queries from many connections: parallel plans would only take cores from others
		"max_parallel_workers_per_gather": "0", "max_parallel_maintenance_workers": "1",
		"autovacuum_naptime": "15s", "track_io_timing": "on",
		"log_min_duration_statement": "1s", "log_lock_waits": "on", "log_checkpoints": "off",
		"idle_in_transaction_session_timeout": "1min",
		"wal_log_hints":                       "on", // a primary that was replaced can be rewound to follow
	})
}

func clamp(v, low, high int64) int64 { return max(low, min(v, high)) }

func mb(bytes int64) string { return fmt.Sprintf("%dMB", bytes/mib) }

// StatementStatistics are the settings for pg_stat_statements when it is installed, else nothing.
func (b Binaries) StatementStatistics() Settings {
	if !b.has("pg_stat_statements") {
		return nil
	}
	return Settings{"shared_preload_libraries": "pg_stat_statements"}
}

// Extensions are those that help to look at statements, as far as they are installed: the first has to be preloaded.
func (b Binaries) Extensions() (list []string) {
	for _, name := range []string{"pg_stat_statements", "hypopg"} {
		if b.has(name) {
			list = append(list, name)
		}
	}
	return list
}

// has tells whether a library of the server's is installed.
func (b Binaries) has(name string) bool {
	for _, lib := range []string{"../lib", "../lib/postgresql", fmt.Sprintf("../lib/postgresql@%d", b.Major)} {
		for _, ext := range []string{".so", ".dylib"} {
			if _, err := os.Stat(filepath.Join(b.Dir, lib, name+ext)); err == nil {
				return true
			}
		}
	}
	return false
}
