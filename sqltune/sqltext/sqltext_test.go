package sqltext

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]int{
		"": 0, " ; ;": 0, "SELECT 1": 1, "SELECT 1;": 1, "SELECT 1; SELECT 2": 2, "SELECT ';'": 1, `SELECT "a;b"`: 1, "SELECT 1 -- ; x\n": 1,
		"SELECT 1 /* ; /* ; */ ; */": 1, "SELECT $$;$$": 1, "SELECT $a$ ; $$ ; $a$": 1, `SELECT E'\';'`: 1, `SELECT '\'; SELECT 2`: 2,
		"SELECT $1; x": 2, "SELECT 'it''s;'": 1,
	} {
		list, ok := Split(sql)
		if len(list) != want || !ok {
			t.Errorf("%q: %q, %v", sql, list, ok)
		}
	}
	for _, open := range []string{"SELECT 'a", `SELECT "a`, "SELECT /* a", "SELECT $x$ a $y$"} {
		if _, ok := Split(open); ok {
			t.Errorf("%q has an end", open)
		}
	}
}

func TestKind(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]Kind{
		"SELECT 1": Read, "  (select 1)": Read, "WITH a AS (SELECT 1) TABLE a": Read, "VALUES (1)": Read, "-- x\nSELECT 'delete from a'": Read,
		"SELECT update FROM t": Read, "SELECT t.into FROM t": Read, `SELECT "delete" FROM t`: Read, "SELECT 1 FROM t FOR UPDATE": Locking,
		"SELECT 1 FROM t FOR NO KEY UPDATE": Locking, "SELECT 1 FROM t FOR KEY SHARE": Locking, "SELECT 1 INTO x": Write,
		"WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a": Write, "WITH a AS (SELECT 1) UPDATE t SET x = 1": Write,
		"WITH a AS MATERIALIZED (INSERT INTO t VALUES (1)) SELECT 1": Write, "insert into t values (1)": Write, "MERGE INTO t USING s ON true": Write,
		"DROP TABLE t": Other, "": Other, "EXPLAIN ANALYZE DELETE FROM t": Other, "DO $$ BEGIN END $$": Other, "COPY t TO STDOUT": Other,
	} {
		if got := KindOf(sql); got != want {
			t.Errorf("%q: %s, want %s", sql, got, want)
		}
	}
}

func TestLimited(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]bool{
		"SELECT 1 LIMIT 5": true, "SELECT 1": false, "SELECT * FROM (SELECT 1 LIMIT 5) x": false, "SELECT 1 FETCH FIRST 3 ROWS ONLY": true,
		"SELECT 1 LIMIT ALL": false, "SELECT 'limit 5'": false, "SELECT 1 LIMIT $1": true,
	} {
		if Limited(sql) != want {
			t.Errorf("%q: %v", sql, !want)
		}
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	same := [][]string{
		{"SELECT * FROM t WHERE a = 1", "select *  from T where a=-27 -- x", "SELECT * FROM t WHERE a = $1", "SELECT * FROM t WHERE a = 'x'"},
		{"SELECT 1 WHERE a IN (1)", "SELECT 2 WHERE a IN (1, 2, 3)"},
		{"INSERT INTO t VALUES (1, 2)", "INSERT INTO t VALUES (1, 2), (3, 4), (5, 6)"},
	}
	for _, list := range same {
		for _, s := range list[1:] {
			if a, b := Fingerprint(list[0]), Fingerprint(s); a != b {
				t.Errorf("%q and %q differ", a, b)
			}
		}
	}
	if Fingerprint("SELECT a FROM t") == Fingerprint("SELECT b FROM t") || Fingerprint(`SELECT "A"`) == Fingerprint("SELECT a") {
		t.Error("different statements have the same fingerprint")
	}
}

func TestExpr(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"((status = 'open'::text) AND (total > 5))":                          "and(=(col status,const),>(col total,const))",
		"(o.customer_id = $1)":                                               "=(col o.customer_id,param)",
		"((code)::text = 'x'::text)":                                         "=(cast text(col code),const)",
		"(lower(email) = ANY ('{a,b}'::text[]))":                             "any =(call lower(col email),const)",
		"(NOT active)":                                                       "not(col active)",
		"(done_at IS NOT NULL)":                                              "is not null(col done_at)",
		"((a.x = 1) OR (a.x = 2))":                                           "or(=(col a.x,const),=(col a.x,const))",
		"(x <> ALL ('{1}'::integer[]))":                                      "all <>(col x,const)",
		"(NOT (hashed SubPlan 1))":                                           "not(subplan)",
		"(k = (InitPlan 1).col1)":                                            "=(col k,param)",
		"((doc ->> 'k'::text) = 'v'::text)":                                  "=(->>(col doc,const),const)",
		"(EXTRACT(year FROM created_at) = '2024'::numeric)":                  "=(call extract(col created_at),const)",
		"((created_at)::date = '2024-01-01'::date)":                          "=(cast date(col created_at),const)",
		"(a BETWEEN 1 AND 2 AND b LIKE 'x%')":                                "and(>=(col a,const),<=(col a,const),~~(col b,const))",
		"(created_at > '2024-01-01 00:00:00+00'::timestamp with time zone)":  ">(col created_at,const)",
		"(CASE WHEN (a = 1) THEN b ELSE c END = 3)":                          "=(call case(=(col a,const),col b,col c),const)",
		"(ROW(a, b) < ROW(1, '-2'::integer))":                                "<(call row(col a,col b),call row(const,const))",
		`((name COLLATE "C") ~~ 'a%'::text)`:                                 "~~(col name,const)",
		"(total = '-5'::integer)":                                            "=(col total,const)",
		"((a + 1) = (b.c * 2))":                                              "=(+(col a,const),*(col b.c,const))",
		"(x = ":                                                              "opaque",
		"(search @@ '''foo'' & ''bar'''::tsquery)":                           "@@(col search,const)",
		"((x IS DISTINCT FROM 5) AND (ts AT TIME ZONE 'UTC'::text) < now())": "and(is distinct from(col x,const),<(call timezone(col ts,const),call now()))",
		"(a OPERATOR(pg_catalog.=) 5)":                                       "=(col a,const)",
		"(tags && '{a,b}'::text[])":                                          "&&(col tags,const)",
		"(v[1] = 5)":                                                         "=(call [](col v,const),const)",
		"(alternatives: SubPlan 1 or hashed SubPlan 2)":                      "subplan",
	} {
		if got := show(ParseExpr(text)); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// show writes an expression in prefix form.
func show(e *Expr) string {
	name := map[Op]string{OpaqueExpr: "opaque", ColumnRef: "col " + e.Name, Constant: "const", ParamRef: "param", AndExpr: "and", OrExpr: "or", NotExpr: "not",
		Binary: e.Name, NullTest: e.Name, Call: "call " + e.Name, Cast: "cast " + e.Name, Quantor: "any " + e.Name, Subplan: "subplan"}[e.Op]
	if e.Op == ColumnRef && e.Table != "" {
		name = "col " + e.Table + "." + e.Name
	}
	if e.All {
		name = "all " + e.Name
	}
	if e.Op == ColumnRef || e.Op == Constant || e.Op == ParamRef || e.Op == Subplan || e.Op == OpaqueExpr {
		return name
	}
	var args []string
	for _, a := range e.Args {
		args = append(args, show(a))
	}
	return name + "(" + strings.Join(args, ",") + ")"
}

// Whatever the text, tokens are in order and within it.
func TestLexAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sql := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"'", `"`, "$", "$a$", "a", "1", "(", ")", "--", "\n", "/*", "*/", "\\", "E'", "::", "é", "<=", "-", ".", "[", "case ", "end", "any"})).Draw(t, "parts"), "")
		tokens, _ := Lex(sql)
		at := 0
		for _, tok := range tokens {
			if tok.From < at || tok.To < tok.From || tok.To > len(sql) {
				t.Fatalf("%q: token %+v after %d", sql, tok, at)
			}
			at = tok.To
		}
		ParseExpr(sql)
		KindOf(sql)
		Fingerprint(sql)
		Limited(sql)
	})
}

func FuzzExpr(f *testing.F) {
	f.Add("((a = 1) AND (lower(b) ~~ 'x%'::text))")
	f.Fuzz(func(t *testing.T, text string) {
		e := ParseExpr(text)
		e.Columns()
		e.Conjuncts()
		Split(text)
		Fingerprint(text)
	})
}
