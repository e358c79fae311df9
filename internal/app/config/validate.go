package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/edge/limit"
	"github.com/stampede-shop/stampede/edge/waf"
)

// Validate checks every value that is set. Each problem names the key, the value and what is allowed.
// Whether a role has all it needs is checked when the role starts.
func (c Config) Validate() error {
	var errs []error
	bad := func(key string, value any, allowed string) {
		errs = append(errs, fmt.Errorf("%s: %v is not allowed: %s", key, value, allowed))
	}
	c.validateData(bad)
	c.validateListeners(bad)
	c.validateSecrets(bad)
	c.Edge.validate(bad)
	c.validateWarm(bad)
	c.Alerts.validate(bad)
	c.validateAnalytics(bad)
	c.Telemetry.validate(bad)
	c.validateAdvice(bad)
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		bad("log.level", quote(c.Log.Level), "one of debug, info, warn, error")
	}
	if !slices.Contains([]string{"", "test"}, c.Payment.Provider) {
		bad("payment.provider", quote(c.Payment.Provider), `"test", or empty to refuse checkouts`)
	}
	if c.OTel.Sample < 0 || c.OTel.Sample > 1 {
		bad("otel.sample", c.OTel.Sample, "a share between 0 and 1")
	}
	return errors.Join(errs...)
}

type complain func(key string, value any, allowed string)

func quote(s string) string { return fmt.Sprintf("%q", s) }

func (c Config) validateData(bad complain) {
	dsn := func(key, v string) {
		if v == "" {
			return
		}
		if _, err := pgxpool.ParseConfig(v); err != nil {
			bad(key, maskDSN(v), "a PostgreSQL DSN such as postgres://user@host:5432/name")
		}
	}
	dsn("catalog.primary", c.Catalog.Primary)
	for i, r := range c.Catalog.Replicas {
		dsn(fmt.Sprintf("catalog.replicas[%d]", i), r.DSN)
	}
	if c.Catalog.PoolSize < 1 || c.Catalog.PoolSize > 1000 {
		bad("catalog.pool_size", c.Catalog.PoolSize, "1 to 1000 connections")
	}
	if c.Redis.Addr != "" && len(c.Redis.Nodes) > 0 {
		bad("redis.nodes", c.Redis.Nodes, "either one server in redis.addr or a cluster's nodes here")
	}
	for i, n := range c.Redis.Nodes {
		if host, _, err := net.SplitHostPort(n); err != nil || host == "" {
			bad(fmt.Sprintf("redis.nodes[%d]", i), quote(n), "host:port")
		}
	}
	if c.Checkout.PurchaseLimit < 0 {
		bad("checkout.purchase_limit", c.Checkout.PurchaseLimit, "units of a product for each shopper, or 0 for no limit")
	}
	if c.Checkout.Slots < 0 {
		bad("checkout.slots", c.Checkout.Slots, "how many transactions at a time, or 0 for no bound")
	}
	seen := map[string]bool{}
	for i, s := range c.Shards {
		key := fmt.Sprintf("shards[%d]", i)
		if s.ID == "" || seen[s.ID] {
			bad(key+".id", quote(s.ID), "a name that no other shard has")
		}
		seen[s.ID] = true
		if s.Weight < 0 || s.Weight > 100 {
			bad(key+".weight", s.Weight, "1 to 100 (0 means 1)")
		}
		dsn(key+".dsn", s.DSN)
		for j, r := range s.Replicas {
			dsn(fmt.Sprintf("%s.replicas[%d]", key, j), r.DSN)
		}
	}
}

func (c Config) validateListeners(bad complain) {
	for key, v := range map[string]string{"api.listen": c.API.Listen, "edge.listen": c.Edge.Listen, "ops.listen": c.Ops.Listen} {
		if v == "" || strings.HasPrefix(v, "unix:") || strings.HasPrefix(v, "fd:") {
			continue
		}
		if _, _, err := net.SplitHostPort(v); err != nil {
			bad(key, quote(v), "host:port, :port or unix:PATH")
		}
	}
}

func (e EdgeConfig) validate(bad complain) {
	for i, o := range e.Origins {
		u, err := url.Parse(o)
		if strings.HasPrefix(o, "unix:") || (err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")) {
			continue
		}
		bad(fmt.Sprintf("edge.origins[%d]", i), quote(o), "http://host:port or unix:PATH")
	}
	for i, p := range e.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			bad(fmt.Sprintf("edge.trusted_proxies[%d]", i), quote(p), "a network such as 10.0.0.0/8")
		}
	}
	if e.Profile != ProfilePlain && e.Profile != ProfileShop {
		bad("edge.profile", quote(e.Profile), "shop in front of Stampede's API, plain in front of anything else")
	}
	if _, err := limit.ParseMode(e.Limits); err != nil {
		bad("edge.limits", quote(e.Limits), "one of off, on, strict")
	}
	if _, err := waf.ParseMode(e.WAF.Mode); err != nil {
		bad("edge.waf.mode", quote(e.WAF.Mode), "one of off, detect, block")
	}
	e.TLS.validate(bad)
	e.Admission.validate(bad)
	e.Waitroom.validate(bad)
	for _, n := range []struct {
		key       string
		v, lo, hi int
	}{
		{"max_body", e.MaxBody, 1, 1 << 30}, {"waf.paranoia", e.WAF.Paranoia, 1, 4},
		{"carts_per_client", e.CartsPerClient, 0, 1 << 20}, {"cache.memory_mib", e.Cache.MemoryMiB, 1, 1 << 20}, {"cache.disk_mib", e.Cache.DiskMiB, 1, 1 << 26},
	} {
		if n.v < n.lo || n.v > n.hi {
			bad("edge."+n.key, n.v, fmt.Sprintf("from %d to %d", n.lo, n.hi))
		}
	}
}

func (c Config) validateSecrets(bad complain) {
	for i, k := range c.Session.Keys {
		if raw, err := base64.StdEncoding.DecodeString(k); err != nil || len(raw) < 32 {
			bad(fmt.Sprintf("session.keys[%d]", i), "(secret)", "base64 of at least 32 random bytes: openssl rand -base64 32")
		}
	}
	if t := c.Admin.Token; t != "" && len(t) < 16 {
		bad("admin.token", "(secret)", "at least 16 characters")
	}
}

// SessionKeys are the decoded keys.
func (c Config) SessionKeys() [][]byte {
	keys := make([][]byte, 0, len(c.Session.Keys))
	for _, k := range c.Session.Keys {
		if raw, err := base64.StdEncoding.DecodeString(k); err == nil {
			keys = append(keys, raw)
		}
	}
	return keys
}

func (t EdgeTLSConfig) validate(bad complain) {
	switch {
	case (t.Cert == "") != (t.Key == ""):
		bad("edge.tls", quote(t.Cert+t.Key), "cert and key together: paths of PEM files")
	case t.Cert != "" && len(t.Hosts) > 0:
		bad("edge.tls.hosts", t.Hosts, "either cert and key, or hosts to obtain certificates for")
	case len(t.Hosts) > 0 && t.Dir == "":
		bad("edge.tls.dir", quote(t.Dir), "a folder in which the certificates of edge.tls.hosts are kept")
	}
}
