package index

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/sqltune/plan"
	"github.com/stampede-shop/stampede/sqltune/schema"
)

// shop is a table as it might be.
func shop() *schema.Schema {
	t := &schema.Table{Schema: "public", Name: "t", Rows: 1e6, Pages: 1e4, Analyzed: true}
	for _, c := range []schema.Column{
		{Name: "id", Type: "bigint", Distinct: -1, Width: 8}, {Name: "a", Type: "integer", Distinct: 5000, Width: 4},
		{Name: "b", Type: "integer", Distinct: 50000, Width: 4}, {Name: "name", Type: "text", Distinct: -0.9, Width: 20},
		{Name: "code", Type: "character varying(10)", Distinct: -1, Width: 8}, {Name: "at", Type: "timestamp with time zone", Distinct: -1, Width: 8},
		{Name: "day", Type: "date", Distinct: 400, Width: 4}, {Name: "doc", Type: "jsonb", Width: 300}, {Name: "tags", Type: "text[]", Width: 60},
		{Name: "words", Type: "tsvector", Width: 200}, {Name: "during", Type: "tstzrange", Width: 20}, {Name: "gone", Type: "timestamp with time zone", Nulls: 0.01, Width: 8},
		{Name: "hot", Type: "boolean", Distinct: 2, Width: 1, Common: []string{"f", "t"}, Shares: []float64{0.98, 0.02}},
		{Name: "state", Type: "text", Distinct: 3, Width: 6, Common: []string{"done", "open"}, Shares: []float64{0.95, 0.04}},
		{Name: "Order", Type: "integer", Distinct: 1000, Width: 4},
	} {
		c := c
		t.Columns = append(t.Columns, &c)
	}
	return &schema.Schema{Version: 150000, Tables: []*schema.Table{t}, Extensions: map[string]string{}}
}

func scan(filter string) *plan.Node {
	return &plan.Node{ID: 1, Type: "Seq Scan", Schema: "public", Relation: "t", Alias: "t", Filter: filter}
}

// The index that a condition would like best, as PostgreSQL takes it after ON.
func TestCandidates(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]string{
		"(t.a = 5)": "(a)", "((t.a = 5) AND (t.b = 6))": "(b, a)", "((t.a = 5) AND (t.at > now()))": "(a, at)",
		"((t.at > '2024-01-01'::timestamptz) AND (t.at < '2024-02-01'::timestamptz))": "(at)",
		"(t.a = ANY ('{1,2}'::integer[]))":                                            "(a)",
		"((t.a = 1) OR (t.a = 2))":                                                    "(a)",
		"(5 < t.a)":                                                                   "(a)",
		"((t.code)::text = 'x'::text)":                                                "(code)",
		"(lower(t.name) = 'x'::text)":                                                 "((lower(name)))",
		"(t.name ~~ 'abc%'::text)":                                                    "(name text_pattern_ops)",
		"((t.code)::text ~~ 'abc%'::text)":                                            "(code varchar_pattern_ops)",
		"(t.name ~~ '%abc%'::text)":                                                   "USING gin (name gin_trgm_ops)",
		"(t.doc @> '{\"a\": 1}'::jsonb)":                                              "USING gin (doc jsonb_path_ops)",
		"(t.doc ? 'a'::text)":                                                         "USING gin (doc)",
		"((t.doc ->> 'color'::text) = 'red'::text)":                                   "((doc ->> 'color'::text))",
		"(t.tags && '{a}'::text[])":                                                   "USING gin (tags)",
		"(t.words @@ '''a'''::tsquery)":                                               "USING gin (words)",
		"(t.during && '[2024-01-01,2024-01-02)'::tstzrange)":                          "USING gist (during)",
		"((t.gone IS NULL) AND (t.a = 5))":                                            "(a) WHERE gone IS NULL",
		"((t.gone IS NOT NULL) AND (t.a = 5))":                                        "(a)",
		"(t.hot AND (t.a = 5))":                                                       "(a) WHERE hot",
		"((NOT t.hot) AND (t.a = 5))":                                                 "(a)",
		"((t.state = 'open'::text) AND (t.at > now()))":                               "(at) WHERE state = 'open'::text",
		"((t.state = 'done'::text) AND (t.at > now()))":                               "(state, at)",
		"(t.\"Order\" = 5)":                                                           "(\"Order\")",
		"(date_trunc('day'::text, t.at) = '2024-01-01'::timestamptz)":                 "",
		"((t.at)::date = '2024-01-01'::date)":                                         "",
		"(t.a <> 5)":                                                                  "", "(t.a = t.b)": "", "(t.a > t.b)": "", "(random() < 0.5)": "", "": "",
		"(NOT (t.a = 5))": "", "((t.a = 1) OR (t.b = 2))": "",
	} {
		d := NeedOf(scan(filter), shop())
		list := d.Candidates()
		got := ""
		if len(list) > 0 {
			got = strings.TrimPrefix(list[0].Def(), "public.t ")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
}

// An index that does all that a candidate would makes it superfluous; one that does not, does not.
func TestExists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		have schema.Index
		want bool
	}{
		{schema.Index{Keys: []string{"a", "at"}}, true},
		{schema.Index{Keys: []string{"a", "at", "b"}}, true},
		{schema.Index{Keys: []string{"a"}}, false},
		{schema.Index{Keys: []string{"at", "a"}}, false},
		{schema.Index{Keys: []string{"a", "at"}, Where: "(gone IS NULL)"}, false},
		{schema.Index{Keys: []string{"a", "at"}, Desc: []bool{true, true}}, true},
		{schema.Index{Keys: []string{"a", "at"}, Desc: []bool{false, true}}, false},
		{schema.Index{Keys: []string{"a", "at"}, Classes: []string{"int4_minmax_ops"}}, false},
	} {
		c.have.Method, c.have.Valid = "btree", true
		s := shop()
		s.Tables[0].Indexes = []*schema.Index{&c.have}
		d := NeedOf(scan("((t.a = 5) AND (t.at > now()))"), s)
		if got := d.Candidates()[0].Exists(s.Tables[0]) != nil; got != c.want {
			t.Errorf("%+v: %v", c.have, got)
		}
	}
}

// Whatever the condition, candidates can be written down: each has keys, a name that PostgreSQL does not cut, and its own.
func TestCandidatesOfAnything(t *testing.T) {
	t.Parallel()
	atoms := []string{"(t.a = 5)", "(t.b > $1)", "(lower(t.name) = $2)", "(t.gone IS NULL)", "t.hot", "(t.doc @> $3)", "(t.name ~~ '%x'::text)", "(x.y = t.a)",
		"(t.state = 'open'::text)", "(t.id = ANY ($4))", "((t.at)::date = $5)"}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom(atoms), 1, 6).Draw(t, "atoms")
		d := NeedOf(scan("("+strings.Join(parts, " AND ")+")"), shop())
		names := map[string]bool{}
		for _, c := range d.Candidates() {
			if len(c.Keys) == 0 || len(c.Name()) > 63 || names[c.Name()] || strings.Contains(c.Def(), "t.") && !strings.HasPrefix(c.Def(), "public.t ") {
				t.Fatalf("%q: %s ON %s", parts, c.Name(), c.Def())
			}
			names[c.Name()] = true
		}
	})
}
