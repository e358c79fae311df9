package main

import "testing"

// The file's name says the format, --format goes before it.
func TestExportFormat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ format, out, want string }{
		{"", "", "csv"}, {"", "a/ev.parquet", "parquet"}, {"", "EV.CSV", "csv"}, {"", "ev.json", "json"}, {"", "ev.ndjson", "json"},
		{"csv", "ev.parquet", "csv"}, {"json", "", "json"}, {"parquet", "events", "parquet"}, {"", "events", ""}, {"", "ev.xlsx", ""},
	} {
		got, err := analyticsExportCmd{Format: c.format, Out: c.out}.format()
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("--format %q --out %q: %q, %v; want %q", c.format, c.out, got, err, c.want)
		}
	}
}
