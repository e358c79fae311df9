package config

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Config is the whole configuration of every role. One YAML file, overridden by STAMPEDE_* variables, overridden by
// flags. A key's variable is its path in upper case with underscores: catalog.primary is STAMPEDE_CATALOG_PRIMARY.
type Config struct {
	Catalog   CatalogConfig   `koanf:"catalog"`
	Shards    []ShardConfig   `koanf:"shards"`
	Checkout  CheckoutConfig  `koanf:"checkout"`
	Redis     RedisConfig     `koanf:"redis"`
	NATS      NATSConfig      `koanf:"nats"`
	Session   SessionConfig   `koanf:"session"`
	Admin     AdminConfig     `koanf:"admin"`
	Payment   PaymentConfig   `koanf:"payment"`
	Mail      MailConfig      `koanf:"mail"`
	API       APIConfig       `koanf:"api"`
	Edge      EdgeConfig      `koanf:"edge"`
	Warm      WarmConfig      `koanf:"warm"`
	Analytics AnalyticsConfig `koanf:"analytics"`
	Ops       OpsConfig       `koanf:"ops"`
	Log       LogConfig       `koanf:"log"`
	OTel      OTelConfig      `koanf:"otel"`
	Alerts    AlertsConfig    `koanf:"alerts"`
	Chaos     ChaosConfig     `koanf:"chaos"`
	Telemetry TelemetryConfig `koanf:"telemetry"`
	Advice    AdviceConfig    `koanf:"advice"`
}

// CatalogConfig names the catalogue database as PostgreSQL DSNs: Primary leads to whichever server accepts writes (a DSN of
// all servers with target_session_attrs=read-write), Replicas are the servers that may be a streaming replica: all of them, where
// the primary can change.
type CatalogConfig struct {
	Primary  string         `koanf:"primary" secret:"dsn"`
	Replicas []ServerConfig `koanf:"replicas"`
	PoolSize int            `koanf:"pool_size"` // connections a process opens to each database on each server at most
}

// ServerConfig is a database on one server. A DSN alone will do; the name is for metrics and logs.
type ServerConfig struct {
	Name string `koanf:"name"`
	DSN  string `koanf:"dsn" secret:"dsn"`
}

// NameAt is the server's name, or one made from its place in the list.
func (s ServerConfig) NameAt(i int) string { return cmp.Or(s.Name, fmt.Sprintf("replica-%d", i+1)) }

// ShardConfig is one shard. Its ID and Weight decide which keys it owns: never change them once data is there. DSN and Replicas
// are as in CatalogConfig; shards on the same servers need Replicas once.
type ShardConfig struct {
	ID       string         `koanf:"id"`
	Weight   int            `koanf:"weight"`
	DSN      string         `koanf:"dsn" secret:"dsn"`
	Replicas []ServerConfig `koanf:"replicas"`
}

// CheckoutConfig says how checkouts reach the shards.
type CheckoutConfig struct {
	// GroupCommit lets checkouts that come together share transactions.
	GroupCommit bool `koanf:"group_commit"`
	// PurchaseLimit is how many units of a product one shopper may buy, unless its attribute purchase_limit says otherwise; 0 is
	// no limit.
	PurchaseLimit int `koanf:"purchase_limit"`
	// Slots bounds such transactions at a time, over all shards of a process; 0 is no bound.
	Slots int `koanf:"slots"`
}

// RedisConfig is the L2 cache: one server, by host:port, the path of a Unix socket or a redis:// URL, or some nodes of a Redis Cluster,
// each host:port. Without either there is no L2.
type RedisConfig struct {
	Addr  string   `koanf:"addr" secret:"dsn"`
	Nodes []string `koanf:"nodes"`
}

// Addrs are the addresses to connect to: of the nodes, or of the one server.
func (r RedisConfig) Addrs() []string {
	if r.Addr == "" {
		return r.Nodes
	}
	return []string{r.Addr}
}

// NATSConfig is the queue.
type NATSConfig struct {
	URL string `koanf:"url" secret:"dsn"`
}

// SessionConfig signs the shopper's cookie: base64 keys of at least 32 bytes, the first signs, all verify.
type SessionConfig struct {
	Keys   []string      `koanf:"keys" secret:"yes"`
	TTL    time.Duration `koanf:"ttl"`
	Secure bool          `koanf:"secure"` // mark cookies Secure although TLS ends in front of us
}

// AdminConfig holds the administrator's bearer token; empty refuses every administrative call.
type AdminConfig struct {
	Token string `koanf:"token" secret:"yes"`
}

// PaymentConfig chooses the payment provider: "test", or empty to refuse checkouts.
type PaymentConfig struct {
	Provider string `koanf:"provider"`
}

// MailConfig sends mail by SMTP when an address is set, else into .eml files in Dir.
type MailConfig struct {
	Dir  string     `koanf:"dir"`
	From string     `koanf:"from"`
	SMTP SMTPConfig `koanf:"smtp"`
}

// SMTPConfig is a mail relay, host:port; STARTTLS when offered.
type SMTPConfig struct {
	Addr     string `koanf:"addr"`
	Username string `koanf:"username"`
	Password string `koanf:"password" secret:"yes"`
}

// APIConfig is where an API process listens: host:port or unix:PATH.
type APIConfig struct {
	Listen string `koanf:"listen"`
}

// What can be behind the edge.
const (
	ProfilePlain = "plain"
	ProfileShop  = "shop"
)

// OpsConfig is a role's operations listener (metrics, health, pprof): loopback host:port or unix:PATH.
type OpsConfig struct {
	Listen string `koanf:"listen"`
}

// LogConfig is the least level that is logged: debug, info, warn or error.
type LogConfig struct {
	Level     string        `koanf:"level"`
	SlowQuery time.Duration `koanf:"slow_query"` // statements that take longer are logged, as warnings; negative never
}

// OTelConfig is an OTLP/HTTP endpoint (http://host:4318); empty exports no traces.
type OTelConfig struct {
	Endpoint string  `koanf:"endpoint"`
	Sample   float64 `koanf:"sample"` // share of requests traced, 0..1
}

// Default is the configuration before any file, variable or flag.
func Default() Config {
	return Config{
		Catalog:  CatalogConfig{PoolSize: 12},
		Checkout: CheckoutConfig{GroupCommit: true, Slots: 4},
		Session:  SessionConfig{TTL: 90 * 24 * time.Hour},
		Mail:     MailConfig{From: "shop@localhost"},
		API:      APIConfig{Listen: "127.0.0.1:8080"},
		Edge: EdgeConfig{Listen: "127.0.0.1:8000", Profile: ProfilePlain, MaxBody: 1 << 20, Limits: "on",
			Cache: EdgeCacheConfig{Enabled: true, MemoryMiB: 256, DiskMiB: 1024}, WAF: WAFConfig{Mode: "block", Paranoia: 1}, Admission: defaultAdmission(), Waitroom: defaultWaitroom(), CartsPerClient: 50},
		Warm:      defaultWarm(),
		Analytics: defaultAnalytics(),
		Ops:       OpsConfig{Listen: "127.0.0.1:8001"},
		Log:       LogConfig{Level: "info", SlowQuery: 500 * time.Millisecond},
		OTel:      OTelConfig{Sample: 0.01},
		Alerts:    AlertsConfig{Objective: 0.999},
		Advice:    AdviceConfig{Enabled: true, Act: defaultAct()},
		Telemetry: TelemetryConfig{Enabled: true, Profile: true, Flight: true, Spans: true, Slow: time.Second},
	}
}

// ChaosConfig lets a role be told to misbehave. Only `up --chaos` sets it.
type ChaosConfig struct {
	Enabled bool `koanf:"enabled"`
}

// ErrNotConfigured says that a role was not told something it cannot do without.
var ErrNotConfigured = errors.New("not configured")
