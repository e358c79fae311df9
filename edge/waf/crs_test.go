package waf

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/corazawaf/coraza-coreruleset/v4/tests"
	"gopkg.in/yaml.v3"
)

// The rule set's own regression tests, in the format of go-ftw, as far as this runner needs it.
type ftwFile struct {
	Rule  int       `yaml:"rule_id"`
	Tests []ftwTest `yaml:"tests"`
}

type ftwTest struct {
	ID     int        `yaml:"test_id"`
	Stages []ftwStage `yaml:"stages"`

	rule int
}

func (t ftwTest) name() string { return fmt.Sprintf("%d-%d", t.rule, t.ID) }

type ftwStage struct {
	Input struct {
		Headers  yaml.Node `yaml:"headers"` // a map, in the file's order
		Method   string    `yaml:"method"`
		URI      string    `yaml:"uri"`
		Version  string    `yaml:"version"`
		Data     string    `yaml:"data"`
		Encoded  string    `yaml:"encoded_request"`
		Complete *bool     `yaml:"autocomplete_headers"`
	} `yaml:"input"`
	Output struct {
		Status int `yaml:"status"`
		Log    struct {
			Expect   []int  `yaml:"expect_ids"`
			NoExpect []int  `yaml:"no_expect_ids"`
			Match    string `yaml:"match_regex"`
			NoMatch  string `yaml:"no_match_regex"`
		} `yaml:"log"`
		ExpectError bool `yaml:"expect_error"`
	} `yaml:"output"`
}

// ftwTests reads all tests, sorted by rule.
func ftwTests(t *testing.T) []ftwTest {
	t.Helper()
	names, err := fs.Glob(tests.FS, "*/*.yaml")
	if err != nil || len(names) < 300 {
		t.Fatalf("%d test files, %v", len(names), err)
	}
	var all []ftwTest
	for _, name := range names {
		b, err := fs.ReadFile(tests.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		var f ftwFile
		if err := yaml.Unmarshal(b, &f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, one := range f.Tests {
			one.rule = f.Rule
			all = append(all, one)
		}
	}
	slices.SortStableFunc(all, func(a, b ftwTest) int { return a.rule - b.rule })
	return all
}

// raw is the request as it goes over the wire.
func (s ftwStage) raw(t *testing.T) string {
	t.Helper()
	in := s.Input
	if in.Encoded != "" {
		b, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", " ", "").Replace(in.Encoded))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\r\n", or(in.Method, "GET"), or(in.URI, "/"), or(in.Version, "HTTP/1.1"))
	has := map[string]bool{}
	for i := 0; i+1 < len(in.Headers.Content); i += 2 {
		name := in.Headers.Content[i].Value
		has[strings.ToLower(name)] = true
		fmt.Fprintf(&b, "%s: %s\r\n", name, in.Headers.Content[i+1].Value)
	}
	if in.Complete == nil || *in.Complete {
		if in.Data != "" && !has["content-type"] {
			b.WriteString("Content-Type: application/x-www-form-urlencoded\r\n")
		}
		if in.Data != "" && !has["content-length"] && !has["transfer-encoding"] {
			b.WriteString("Content-Length: " + strconv.Itoa(len(in.Data)) + "\r\n")
		}
		if !has["connection"] {
			b.WriteString("Connection: close\r\n")
		}
	}
	b.WriteString("\r\n" + in.Data)
	return b.String()
}

func or(s, d string) string {
	if s == "" {
		return d
	}
	return s
}

// parse reads a request as net/http's server does. err means that it never gets as far as us.
func (s ftwStage) parse(t *testing.T) (r *http.Request, body []byte, err error) {
	t.Helper()
	r, err = http.ReadRequest(bufio.NewReader(strings.NewReader(s.raw(t))))
	if err != nil {
		return nil, nil, err
	}
	if r.Host == "" && r.ProtoAtLeast(1, 1) {
		return nil, nil, fmt.Errorf("no Host")
	}
	body, err = io.ReadAll(r.Body)
	return r, body, err
}

// ids of all rules that matched, steering ones too.
func ids(rs *ruleset, q *request) []int {
	tx, _ := evaluate(rs.full, wholePart(q))
	defer tx.Close() //nolint:errcheck
	var out []int
	for _, m := range tx.MatchedRules() {
		out = append(out, m.Rule().ID())
	}
	return out
}
