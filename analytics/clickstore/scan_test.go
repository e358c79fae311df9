package clickstore

import (
	"strings"
	"testing"
)

func TestOnlyReads(t *testing.T) {
	t.Parallel()
	for sql, ok := range map[string]bool{
		"SELECT 1": true, " select 1 ; ;\n": true, "(SELECT 1)": true, "WITH x AS (SELECT 1) SELECT * FROM x": true, "-- first\nSELECT 1": true,
		"/* a */ SELECT ';' /* ; */": true, `SELECT "a;b", 'it''s; \'; x', ` + "`c;d`": true, "SELECT $$ ; SETTINGS $$": true, "SELECT $x$ ; $x$, 1": true,
		"EXPLAIN SELECT 1": true, "EXPLAIN PLAN header = 1, actions = 1 SELECT 1": true, "EXPLAIN QUERY TREE WITH x AS (SELECT 1) SELECT 1": true,
		"SELECT * FROM system.settings": true, "SELECT 'SETTINGS readonly = 0'": true, "SELECT mysettings FROM x": true,

		"": false, ";": false, "-- SELECT 1": false, "DROP TABLE event": false, "SELECT 1; DROP TABLE event": false, "SELECT 1 SETTINGS readonly = 0": false,
		"SELECT * FROM (SELECT 1 settings readonly=0)": false, "SELECT 1 /* x */SETTINGS/**/readonly = 0": false, "SELECT ')' SETTINGS a = 1": false,
		"SELECT 1 AS a,1 SETTINGS a=1": false, "EXPLAIN INSERT INTO event SELECT 1": false, "EXPLAIN AST DROP TABLE event": false, "EXPLAIN": false,
		"INSERT INTO place SELECT 1": false, "SHOW TABLES": false, "SET readonly = 0": false, "SELECT '\\' ; DROP TABLE event --'": true,
		"SELECT 'a' ; DROP TABLE event --'": false, "# comment\nSELECT 1": true, "SELECT $1$ ; $1$; DROP": false,
	} {
		if _, _, err := onlyReads(sql); (err == nil) != ok {
			t.Errorf("%q: %v", sql, err)
		}
	}
}

func TestParseDSN(t *testing.T) {
	t.Parallel()
	o, err := ParseDSN("clickhouse://u%40x:p%2Fw@db.example:9001/shop?async=true")
	if err != nil || o.Address != "db.example:9001" || o.User != "u@x" || o.Password != "p/w" || o.Database != "shop" || !o.Async || o.TLS != nil {
		t.Errorf("%+v %v", o, err)
	}
	if o, err = ParseDSN("clickhouse://[::1]/?secure=1"); err != nil || o.Address != "[::1]:9440" || o.Database != "" || o.TLS == nil || o.TLS.ServerName != "::1" {
		t.Errorf("%+v %v", o, err)
	}
	for _, dsn := range []string{"", "db:9000", "http://db:9000", "clickhouse:///x", "clickhouse://u:secret@db/?sekure=1", "clickhouse://u:secret@db/?secure=perhaps", "clickhouse://u:secret@db:port/"} {
		if _, err := ParseDSN(dsn); err == nil {
			t.Errorf("%s was taken", dsn)
		} else if got := err.Error(); strings.Contains(got, "secret") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}
