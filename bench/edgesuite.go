package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// suiteVersion is the release of the public suite (github.com/http-tests/cache-tests, npm http-cache-tests).
const suiteVersion = "http-cache-tests@0.4.5"

// suiteScript runs the suite, or with an argument prints of each test its kind and what it depends on.
//
// 13 required tests of the release ask for what RFC 9111 does not: the suite itself was corrected after it. They are run
// as released, and again, as kind "corrected", as the RFC has it:
//   - nine take an Age that is no number, or comes twice, for old. Section 5.1: use the first member, and ignore the field
//     if that is no non-negative integer.
//   - four want a count that only the origin gives in the answer to a request whose connection the origin broke. Section
//     5.2.2.2: an error must be generated; which is what is asked for here.
const suiteScript = `import { runTests, getResults } from './client/runner.mjs'
import fetch, { Response } from 'node-fetch'
import tests from './tests/index.mjs'
import surrogate from './tests/surrogate-control.mjs'
const suites = [...tests, surrogate], again = ' as in RFC 9111'
const copy = (t, second) => ({ ...structuredClone(t), id: t.id + again, kind: 'corrected', requests: [structuredClone(t.requests[0]), second] })
for (const s of suites) {
  for (const t of [...s.tests]) {
    if (t.id.startsWith('stale-close-')) s.tests.push(copy(t, { disconnect: true, expected_status: 504, expected_response_headers_missing: ['server-request-count'], check_body: false }))
    else if (/^age-parse-(nonnumeric|negative|float|prefix-twoline|dup-0|dup-0-twoline|dup-old|parameter|numeric-parameter)$/.test(t.id)) s.tests.push(copy(t, { expected_type: 'cached' }))
  }
}
async function ask (url, init) { // 502, 503 and 504 are all errors of a gateway
  const r = await fetch(url, init)
  const corrected = init?.headers.some(([name, value]) => name === 'Test-ID' && value.endsWith(again))
  return corrected && r.status > 501 && r.status < 504 ? new Response(await r.text(), { status: 504, headers: r.headers }) : r
}
if (process.argv[2] === 'list') {
  const all = {}
  for (const s of suites) for (const t of s.tests) all[t.id] = { kind: t.kind || 'required', needs: t.depends_on || [] }
  console.log(JSON.stringify(all))
} else {
  await runTests(suites, ask, false, process.env.npm_config_base)
  console.log(JSON.stringify(getResults()))
}
`

type suiteTest struct {
	Kind  string
	Needs []string
}

// benchEdgeSuite counts the required tests of the public suite for HTTP caches that the edge passes, and those that nginx
// and, where it is installed, Varnish pass, each in front of the suite's own origin.
func benchEdgeSuite(ctx context.Context) (_ result, err error) {
	dir, err := os.MkdirTemp("", "bench-suite-")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--prefix", dir, suiteVersion).CombinedOutput(); err != nil {
		return result{}, fmt.Errorf("npm and node are needed: %w: %s", err, out)
	}
	s := &suite{dir: filepath.Join(dir, "node_modules", "http-cache-tests")}
	if err := os.WriteFile(filepath.Join(s.dir, suiteFile), []byte(suiteScript), 0o600); err != nil {
		return result{}, err
	}
	if s.tests, err = s.describe(ctx); err != nil {
		return result{}, err
	}
	ports, err := freePorts(5)
	if err != nil {
		return result{}, err
	}
	wait, err := s.start(ctx, dir, ports)
	defer func() { cancel(); wait() }()
	if err != nil {
		return result{}, err
	}
	r := result{Unit: "required tests passed", Runs: 1, Details: map[string]any{}}
	for name, addr := range map[string]string{"edge": ports[1], "nginx": ports[2], "varnish": ports[3]} {
		if name == "varnish" && !installed("varnishd") {
			continue
		}
		n, failed, err := s.judge(ctx, addr)
		if err != nil {
			return result{}, fmt.Errorf("%s: %w", name, err)
		}
		r.Details[name] = n
		if name == "edge" {
			r.Ours, r.Details["edge_failed"] = float64(n["required"]["pass"]), failed
		} else {
			r.Anchor = max(r.Anchor, float64(n["required"]["pass"]))
		}
	}
	r.Ratio = r.Ours / r.Anchor
	return r, nil
}

const suiteFile = "stampede.mjs"

type suite struct {
	dir   string
	tests map[string]suiteTest
}

func (s *suite) describe(ctx context.Context) (tests map[string]suiteTest, err error) {
	cmd := exec.CommandContext(ctx, "node", "--no-warnings", suiteFile, "list")
	cmd.Dir = s.dir
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	return tests, json.Unmarshal(out, &tests)
}

func installed(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}

// start runs the suite's origin on ports[0] and the caches on the next three.
func (s *suite) start(ctx context.Context, dir string, ports []string) (wait func(), err error) {
	var running []*exec.Cmd
	wait = func() {
		for _, cmd := range running {
			_ = cmd.Wait()
		}
	}
	conf, err := nginxConf(dir, ports[2], strings.Replace(ports[0], "127.0.0.1", "localhost", 1))
	if err != nil {
		return wait, err
	}
	vcl := filepath.Join(dir, "default.vcl")
	host, port, _ := net.SplitHostPort(ports[0])
	if err := os.WriteFile(vcl, []byte(fmt.Sprintf("vcl 4.0;\nbackend default { .host = %q; .port = %q; }\n", host, port)), 0o600); err != nil {
		return wait, err
	}
	binary := filepath.Join(dir, "cdn")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./edge/examples/cdn").CombinedOutput(); err != nil {
		return wait, fmt.Errorf("%w: %s", err, out)
	}
	commands := [][]string{{"node", "server/server.mjs"}, {binary, "-origin", "http://" + ports[0], "-listen", ports[1], "-ops", ports[4], "-waf", "off", "-limits", "off"},
		{"nginx", "-p", dir, "-c", conf, "-e", filepath.Join(dir, "error.log")}}
	if installed("varnishd") {
		commands = append(commands, []string{"varnishd", "-j", "none", "-F", "-n", filepath.Join(dir, "varnish"), "-a", ports[3], "-f", vcl,
			"-p", "default_ttl=0", "-p", "default_grace=0", "-p", "default_keep=3600", "-s", "malloc,64M"})
	}
	for _, args := range commands {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir = s.dir
		cmd.Env = append(os.Environ(), "npm_config_protocol=http", "npm_config_port="+port, "npm_config_pidfile="+filepath.Join(dir, "pid"))
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = 15 * time.Second
		if err := cmd.Start(); err != nil {
			return wait, err
		}
		running = append(running, cmd)
	}
	return wait, nil
}

// judge runs the suite against a cache: how many tests of each kind came out how, and which required ones failed that RFC
// 9111 asks for.
func (s *suite) judge(ctx context.Context, addr string) (n map[string]map[string]int, failed []string, err error) {
	if err := fill(ctx, "http://"+addr+"/"); err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, "node", "--no-warnings", suiteFile)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "npm_config_base=http://"+addr)
	out, err := cmd.Output()
	if err != nil {
		return nil, nil, err
	}
	results := map[string]any{}
	if err := json.Unmarshal(out, &results); err != nil {
		return nil, nil, fmt.Errorf("%w: %.200s", err, out)
	}
	failed, n = []string{}, map[string]map[string]int{"required": {}, "corrected": {}, "optimal": {}, "check": {}}
	for id := range results {
		kind, verdict := s.tests[id].Kind, s.verdict(id, results)
		n[kind][verdict]++
		_, corrected := results[id+" as in RFC 9111"]
		if verdict == "fail" && (kind == "required" && !corrected || kind == "corrected") {
			failed = append(failed, id)
		}
	}
	slices.Sort(failed)
	return n, failed, nil
}

// verdict is the suite's own way of counting: a test says nothing when one that it depends on did not pass, or when its
// first steps already went another way.
func (s *suite) verdict(id string, results map[string]any) string {
	for _, need := range s.tests[id].Needs {
		if s.verdict(need, results) != "pass" {
			return "dependency"
		}
	}
	if results[id] == true {
		return "pass"
	}
	if list, ok := results[id].([]any); ok && len(list) > 0 && list[0] == "Setup" {
		return "setup"
	}
	return "fail"
}
