package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// File, then variables, then overrides; what is not set keeps its default.
func TestLoadPrecedence(t *testing.T) {
	path := writeConfig(t, "catalog: {primary: 'postgres://a@h/c', pool_size: 3}\nlog: {level: warn}\n")
	t.Setenv("STAMPEDE_LOG_LEVEL", "error")
	t.Setenv("STAMPEDE_CATALOG_POOL_SIZE", "7")
	t.Setenv("STAMPEDE_SHARDS", "shard1=postgres://h/one,shard2*3=postgres://h/two")
	t.Setenv("STAMPEDE_EDGE_ORIGINS", "http://a:1,http://b:2")
	t.Setenv("STAMPEDE_UNRELATED", "x")
	cfg, err := Load(path, map[string]any{"log.level": "debug"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Log.Level != "debug" || cfg.Catalog.PoolSize != 7 || cfg.Catalog.Primary != "postgres://a@h/c" {
		t.Errorf("%+v", cfg)
	}
	if len(cfg.Shards) != 2 || cfg.Shards[1].ID != "shard2" || cfg.Shards[1].Weight != 3 || cfg.Shards[1].DSN != "postgres://h/two" {
		t.Errorf("shards %+v", cfg.Shards)
	}
	if len(cfg.Edge.Origins) != 2 || cfg.Session.TTL != Default().Session.TTL {
		t.Errorf("%+v %v", cfg.Edge, cfg.Session.TTL)
	}
}

// A wrong value names its key, its value and what is allowed.
func TestLoadRefuses(t *testing.T) {
	for text, want := range map[string][]string{
		"log: {level: loud}":                             {"log.level", "loud", "debug, info, warn, error"},
		"shards: [{id: a, dsn: ''}, {id: a, dsn: ''}]":   {"shards[1].id", "no other shard has"},
		"shards: [{id: a, weight: -1}]":                  {"shards[0].weight", "-1"},
		"edge: {origins: ['ftp://x']}":                   {"edge.origins[0]", "ftp://x", "http://"},
		"api: {listen: nowhere}":                         {"api.listen", "nowhere", "host:port"},
		"session: {keys: ['short']}":                     {"session.keys[0]", "32 random bytes"},
		"admin: {token: 'x'}":                            {"admin.token", "16 characters"},
		"payment: {provider: gold}":                      {"payment.provider", "gold", "test"},
		"catalog: {pool_size: 0}":                        {"catalog.pool_size", "1 to 1000"},
		"catalog: {primry: 'postgres://x/y'}":            {"catalog.primry", "no such setting", "primary, replicas, pool_size"},
		"catalgo: {primary: 'postgres://x/y'}":           {"catalgo", "no such setting", "catalog, shards"},
		"catalog: {pool_size: many}":                     {"catalog.pool_size", "many", "a whole number"},
		"session: {secure: perhaps}":                     {"session.secure", "perhaps", "true or false"},
		"shards: [{id: a, weight: big}]":                 {"shards[0].weight", "big", "a whole number"},
		"admin: {token: [hush]}":                         {"admin.token", "(secret)", "a text"},
		"edge: 5":                                        {"edge", "5", "listen, origins"},
		"catalog: {primary: 'postgres://u:hush@[bad/y'}": {"catalog.primary"},
		"edge: {trusted_proxies: ['10.0.0.0']}":          {"edge.trusted_proxies[0]", "10.0.0.0/8"},
		"edge: {profile: shoop}":                         {"edge.profile", "shoop", "plain"},
		"edge: {limits: none}":                           {"edge.limits", "none", "off, on, strict"},
		"edge: {waf: {mode: yes please}}":                {"edge.waf.mode", "yes please", "off, detect, block"},
		"edge: {waf: {paranoia: 5}}":                     {"edge.waf.paranoia", "5", "from 1 to 4"},
		"edge: {cache: {memory_mib: 0}}":                 {"edge.cache.memory_mib", "0", "from 1"},
		"edge: {cache: {size: 1}}":                       {"edge.cache", "no such setting", "enabled, memory_mib, dir, disk_mib"},
		"edge: {max_body: lots}":                         {"edge.max_body", "lots", "a whole number"},
		"otel: {sample: 2}":                              {"otel.sample", "between 0 and 1"},
		"session: {ttl: never}":                          {"session.ttl", "never", "90m"},
		"redis: {addr: '/r', nodes: ['a:1']}":            {"redis.nodes", "either"},
		"analytics: {store: sqlite}":                     {"analytics.store", "sqlite", "duckdb or clickhouse"},
		"analytics: {dsn: 'http://u:hush@h/'}":           {"analytics.dsn", "clickhouse://"},
		"redis: {nodes: ['a:1', 'b']}":                   {"redis.nodes[1]", "host:port"},
	} {
		_, err := Load(writeConfig(t, text), nil)
		if err == nil {
			t.Errorf("%s: accepted", text)
			continue
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", text, err, w)
			}
		}
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error tells the password: %v", text, err)
		}
	}
}

// A shard list that cannot be read names what is allowed and tells no password.
func TestLoadRefusesShardList(t *testing.T) {
	t.Setenv("STAMPEDE_SHARDS", "postgres://u:hush@h/one")
	_, err := Load("", nil)
	if err == nil || strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), "ID*WEIGHT=DSN") {
		t.Errorf("%v", err)
	}
}

func TestShowMasksSecretsAndSaveKeepsThem(t *testing.T) {
	cfg := Default()
	cfg.Catalog.Primary = "postgres://u:hush@h/c"
	cfg.Catalog.Replicas = []ServerConfig{{Name: "replica-1", DSN: "host=h password=hush dbname=c"}}
	cfg.Shards = []ShardConfig{{ID: "shard1", Weight: 1, DSN: "postgres://u:hush@h/s", Replicas: []ServerConfig{{"a", "postgres://u:hush@a/s"}}}}
	cfg.Admin.Token = "hush-hush-hush-hush"
	cfg.Mail.SMTP.Password = "hush"
	cfg.Analytics.DSN = "clickhouse://u:hush@h:9000/d"
	var shown strings.Builder
	if err := cfg.Show(&shown); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(shown.String(), "hush") || !strings.Contains(shown.String(), "pool_size: 12") {
		t.Errorf("shown:\n%s", &shown)
	}
	path := filepath.Join(t.TempDir(), "saved.yaml")
	if err := cfg.Save(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	back, err := Load(path, nil)
	if err != nil || back.Admin.Token != cfg.Admin.Token || back.Catalog.Primary != cfg.Catalog.Primary || !reflect.DeepEqual(back.Shards[0], cfg.Shards[0]) || !slices.Equal(back.Catalog.Replicas, cfg.Catalog.Replicas) {
		t.Errorf("saved and loaded: %v\n%+v", err, back)
	}
}

func TestLoadRedis(t *testing.T) {
	if cfg, err := Load(writeConfig(t, "redis: {addr: '/run/redis.sock'}\n"), nil); err != nil || !slices.Equal(cfg.Redis.Addrs(), []string{"/run/redis.sock"}) {
		t.Errorf("%v %v", cfg.Redis, err)
	}
	t.Setenv("STAMPEDE_REDIS_NODES", "a:7001,b:7002")
	if cfg, err := Load("", nil); err != nil || !slices.Equal(cfg.Redis.Addrs(), []string{"a:7001", "b:7002"}) {
		t.Errorf("%v %v", cfg.Redis, err)
	}
}

// A variable that sets nothing is told of, with the name that was meant; what others read, or Kubernetes sets, is not.
func TestUnknownEnv(t *testing.T) {
	t.Parallel()
	got := strings.Join(UnknownEnv([]string{"PATH=/bin", "STAMPEDE_LOG_LEVEL=debug", "STAMPEDE_SHARDS=x", "STAMPEDE_ADVICE_ACT_SLOTS_MAX=9", "STAMPEDE_SOAK_FOR=1h",
		"STAMPEDE_LOAD_NATS=x", "STAMPEDE_EDGE_PORT_8000_TCP_ADDR=10.0.0.1", "STAMPEDE_SERVICE_HOST=10.0.0.1", "STAMPEDE_PORT=tcp://10.0.0.1:80",
		"STAMPEDE_LOG_LEVLE=debug", "STAMPEDE_WAF_MODE=off", "STAMPEDE_EDGE_CACHE=false", "STAMPEDE_PRICES=free"}), "\n")
	for _, want := range []string{"STAMPEDE_LOG_LEVLE: there is no such setting, so it changes nothing: did you mean STAMPEDE_LOG_LEVEL?",
		"did you mean STAMPEDE_EDGE_WAF_MODE?", "did you mean STAMPEDE_EDGE_CACHE_", "STAMPEDE_PRICES: there is no such setting, so it changes nothing: `stampede config show`"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n") + 1; n != 4 {
		t.Errorf("%d warnings:\n%s", n, got)
	}
}

// DSNs of several hosts have commas of their own; servers may be given by their DSN alone.
func TestLoadServers(t *testing.T) {
	const many = "postgres:///one?host=/a,/b&port=1,2&target_session_attrs=read-write"
	t.Setenv("STAMPEDE_SHARDS", "s1="+many+", s2*3=host=a,b port=1,2 dbname=two,s3=postgres://a,b/three")
	t.Setenv("STAMPEDE_CATALOG_REPLICAS", "postgres://a/c,postgres://b/c")
	cfg, err := Load(writeConfig(t, "catalog: {primary: 'postgres://a,b/c'}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var dsns []string
	for _, s := range cfg.Shards {
		dsns = append(dsns, s.ID+" "+s.DSN)
	}
	if want := []string{"s1 " + many, "s2 host=a,b port=1,2 dbname=two", "s3 postgres://a,b/three"}; !slices.Equal(dsns, want) {
		t.Errorf("shards %q", dsns)
	}
	if want := []ServerConfig{{"", "postgres://a/c"}, {"", "postgres://b/c"}}; !slices.Equal(cfg.Catalog.Replicas, want) {
		t.Errorf("replicas %+v", cfg.Catalog.Replicas)
	}
	cfg, err = Load(writeConfig(t, "catalog: {primary: 'postgres://a,b/c', replicas: ['postgres://a/c', {name: b, dsn: 'postgres://b/c'}]}\nshards: [{id: s1, dsn: 'postgres://a/x', replicas: [{name: q, dsn: 'postgres://b/x'}]}]\n"), map[string]any{"shards": nil})
	if err != nil || len(cfg.Catalog.Replicas) != 2 {
		t.Errorf("%+v, %v", cfg.Catalog.Replicas, err)
	}
}
