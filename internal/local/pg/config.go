package pg

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Settings are lines of postgresql.conf: name to value, without quotes.
type Settings map[string]string

// With returns a copy of s with the settings of more over it.
func (s Settings) With(more Settings) Settings {
	out := make(Settings, len(s)+len(more))
	for k, v := range s {
		out[k] = v
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}

// quote makes a value fit between the quotes of postgresql.conf, where a backslash escapes.
var quote = strings.NewReplacer("'", "''", `\`, `\\`)

// Configure replaces postgresql.conf; it is ours alone. What somebody set with ALTER SYSTEM stays and
// goes before it. Takes effect at the next start.
func (s *Server) Configure(set Settings) error {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	b.WriteString("# written anew at every start; use ALTER SYSTEM for settings of your own\n")
	for _, name := range names {
		fmt.Fprintf(&b, "%s = '%s'\n", name, quote.Replace(set[name]))
	}
	return s.write("postgresql.conf", b.String())
}

// write replaces a file of the data directory, owned by the server's user.
func (s *Server) write(name, content string) error {
	path := filepath.Join(s.DataDir, name)
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(content), 0o600); err != nil {
		return err
	}
	if err := s.User.Chown(tmp); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// common is what every server here has.
func common() Settings {
	return Settings{
		"listen_addresses": "", "unix_socket_permissions": "0700",
		"timezone": "UTC", "log_timezone": "UTC", "datestyle": "iso, mdy",
		"lc_messages": "C", "default_text_search_config": "pg_catalog.english",
		"dynamic_shared_memory_type": "posix", "jit": "off", "random_page_cost": "1.1",
		"wal_level": "logical", "max_wal_senders": "24", "max_replication_slots": "24",
		"hot_standby": "on", "hot_standby_feedback": "on",
		// a standby looks for its primary again quickly, and says often how far it is
		"wal_retrieve_retry_interval": "200ms", "wal_receiver_status_interval": "1s",
		"client_connection_check_interval": "5s",
		"log_line_prefix":                  "%m [%p] %d ",
	}
}

// Throwaway are settings for a server whose data nobody will miss: nothing is forced to disk.
func Throwaway() Settings {
	return common().With(Settings{
		"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB", "max_connections": "200",
		"max_wal_size": "1GB", "checkpoint_timeout": "1h", "log_min_messages": "warning", "max_prepared_transactions": "0",
	})
}
