package waf

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	crs "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3/experimental"
	"pgregory.net/rapid"
)

// plainText draws plain text, of words that rules look for too.
func plainText() *rapid.Generator[string] {
	words := []string{"select", "union", "from", "where", "or", "and", "drop", "table", "cat", "ls", "etc/passwd", "..", "../", "javascript:", "onload", "http://", "data:", "exec", "sleep", "1", "'",
		"java.lang.runtime", "admin'--", "--", "@@version", "php://input", "wget", "busybox", "c'at", "insert", "into", ",", ".", "+", "/", ":", "@", "-", " ", "lamp", "O'Brien", "group_concat", "char",
		"é", "Église", "ß", "ž", "ľ", "×", "’", "—", "Ñ", "sélect", "İ", "naïve"}
	return rapid.Custom(func(t *rapid.T) string {
		var b strings.Builder
		for range rapid.IntRange(0, 6).Draw(t, "parts") {
			if rapid.Bool().Draw(t, "word") {
				b.WriteString(rapid.SampledFrom(words).Draw(t, "w"))
			} else {
				b.WriteString(rapid.StringMatching(`[a-zA-Z0-9 _.,'@+:/À-ľŀ-ž-]{0,6}`).Draw(t, "s"))
			}
			if rapid.Bool().Draw(t, "space") {
				b.WriteByte(' ')
			}
		}
		return b.String()
	})
}

// For plain text an expression matches exactly where what is left of it does: tried with every expression of the rule
// set.
func TestNarrowed(t *testing.T) {
	t.Parallel()
	type two struct {
		id           string
		full, narrow *regexp.Regexp // narrow is nil where nothing is left
	}
	var all []two
	names, _ := fs.Glob(crs.FS, crsFolder+"REQUEST-*.conf")
	for _, name := range names {
		b, err := fs.ReadFile(crs.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range groups(string(b)) {
			for _, r := range g {
				if r.operator != "rx" || strings.Contains(r.argument, "%{") {
					continue
				}
				full, err := regexp.Compile("(?sm)" + r.argument)
				if err != nil {
					continue
				}
				e := two{id: first(g[0].values("id")), full: full}
				if narrow, ok := onPlain(r.argument); ok {
					e.narrow = regexp.MustCompile("(?sm)" + narrow)
				}
				all = append(all, e)
			}
		}
	}
	if len(all) < 200 {
		t.Fatalf("only %d expressions", len(all))
	}
	matched := 0
	rapid.Check(t, func(t *rapid.T) {
		s := plainText().Draw(t, "text")
		if !isPlain(s) {
			t.Fatalf("%q is not plain", s)
		}
		for _, e := range all {
			want := e.full.MatchString(s)
			if got := e.narrow != nil && e.narrow.MatchString(s); got != want {
				t.Fatalf("%s: %q: %v, narrowed %v", e.id, s, want, got)
			}
			if want {
				matched++
			}
		}
	})
	if matched == 0 {
		t.Error("nothing ever matched: this shows nothing")
	}
}

// The words that can match plain text find what all rules for text find.
func TestWordsAgreeWithText(t *testing.T) {
	t.Parallel()
	w := newWAF(t, Options{Profile: ProfilePlain})
	rs := w.live.Load().rules
	thin(t, func(t *rapid.T) {
		p := valuePart([]string{plainText().Draw(t, "text")})
		if words, text := anyMatch(rs.words, p), anyMatch(rs.text, p); words != text {
			t.Fatalf("words say %v, text says %v", words, text)
		}
	})
}

// Whatever the rules' transformations make of a letter of plain text is plain, or a byte beyond ASCII.
func TestLettersStayPlain(t *testing.T) {
	t.Parallel()
	registerSieve()
	var letters []rune
	for r := rune(0x80); r <= 0xffff; r++ {
		if plainLetter(r) {
			letters = append(letters, r)
		}
	}
	if len(letters) < 190 {
		t.Fatalf("%d letters", len(letters))
	}
	for _, steps := range []string{"t:utf8toUnicode,t:urlDecodeUni", "t:utf8toUnicode,t:urlDecodeUni,t:htmlEntityDecode,t:jsDecode,t:cssDecode,t:removeNulls,t:lowercase", "t:lowercase,t:compressWhitespace", "t:cmdLine,t:normalizePathWin", "t:removeWhitespace,t:replaceComments"} {
		w, err := load(Options{MaxBodyBytes: 1 << 20}, []source{{"letters", fastSetup(Options{}) + "SecRule ARGS_POST \"@rx [^a-zA-Z0-9 _.,'@+:/\\x80-\\xff-]\" \"id:1,phase:2,pass,nolog,t:none," + steps + "\"\n"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range letters {
			if anyMatch(w, valuePart([]string{string(r), "a" + string(r) + " B" + string(r) + string(r)})) {
				t.Errorf("%s makes of %q something that is not plain", steps, r)
			}
		}
		if !anyMatch(w, valuePart([]string{"ȼ<"})) {
			t.Errorf("%s: this shows nothing", steps)
		}
		_ = w.(experimental.WAFCloser).Close() //nolint:forcetypeassert // the engine's own
	}
}

// What the fast path calls clean the whole rule set calls clean, wherever the text stands.
func TestFastPathNeverOverlooks(t *testing.T) {
	t.Parallel()
	w := newWAF(t, Options{Profile: ProfilePlain})
	g := w.live.Load()
	text := rapid.OneOf(plainText(), rapid.String(), rapid.SampledFrom(slices.Concat(attacks["sqli"], attacks["xss"], attacks["rce"], innocent)))
	thin(t, func(t *rapid.T) {
		s := text.Draw(t, "text")
		body, err := json.Marshal(map[string]any{"name": s, "list": []string{"a", s}})
		if err != nil {
			t.Skip()
		}
		form := url.Values{"q": {s}, "password": {s + "!"}}.Encode()
		if rapid.Bool().Draw(t, "all encoded") {
			form = "q=" + percentAll(s)
		}
		for _, c := range []send{{"GET", "/search?q=" + url.QueryEscape(s), "", nil}, {"GET", "/search?" + form, "", nil}, {"POST", "/users", string(body), nil}, {"POST", "/bag/add", form, asForm},
			{"GET", "/cart", "", []string{"Cookie", "theme=" + strings.NewReplacer(";", "", "\n", "", "\r", "").Replace(s)}}} {
			r, body := c.request()
			q := newRequest(r, nil)
			if q.setBody(r, body) != nil {
				continue
			}
			if w.fast(g.rules, g.known, q) {
				if v := g.rules.whole(q); v.Objects() || len(v.Matches) > 0 {
					t.Fatalf("%q in %s %s: clean on the fast path, but %+v", s, c.method, c.target, v)
				}
			}
		}
	})
}

// percentAll writes every byte of s as an escape.
func percentAll(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02x", s[i])
	}
	return b.String()
}

// No rule finds anything in what is not inspected: numbers, UUIDs, true, false, null.
func TestHarmlessIsHarmless(t *testing.T) {
	t.Parallel()
	w := newWAF(t, Options{Profile: ProfilePlain})
	rs := w.live.Load().rules
	shapes := rapid.OneOf(rapid.StringMatching(`-?[0-9]{1,9}(\.[0-9]{1,9})?`), rapid.StringMatching(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`),
		rapid.SampledFrom([]string{"", "true", "false", "null", "0", "000000000", "-1"}))
	thin(t, func(t *rapid.T) {
		s := shapes.Draw(t, "value")
		if !harmless(s) {
			t.Fatalf("%q is not taken for harmless", s)
		}
		r, _ := typical(http.MethodGet, "/products/"+s+"?id="+s, "")
		r.Header.Set("Cookie", "c="+s)
		q := newRequest(r, nil)
		q.fields = []pair{{"json.id", s}}
		if v := rs.whole(q); v.Objects() || len(v.Matches) > 0 {
			t.Fatalf("%q: %+v", s, v)
		}
	})
	for _, s := range []string{"1e5", "0x10", "--1", "1.", ".5", "1 ", "2147483648", "5f0c9b1e-74a5-4a0f-9c3e-6f2d3a1b4c5", "TRUE"} {
		if harmless(s) {
			t.Errorf("%q is taken for harmless", s)
		}
	}
}

// The flattener takes what encoding/json takes, and hands out every text.
func FuzzFlattenJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,"x",{"b":null}]}`, `"\u003cscript\u003e"`, `[[[]]]`, `{"a":"1","a":"2"}`, "tru", `{"a":1,}`, "1 2", `"\ud800"`, "\"\x01\"", `[1e5,-0.0,true]`, `{"":""}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got []string
		err := flattenJSON(s, false, func(_, text string) { got = append(got, text) })
		valid := json.Valid([]byte(s))
		if valid != (err == nil) && err != errDepth && strings.Trim(s, " \t\r\n") != "" { //nolint:errorlint // our own
			t.Fatalf("%q: valid %v, but %v", s, valid, err)
		}
		if err != nil || !valid {
			return
		}
		var v any
		if json.Unmarshal([]byte(s), &v) != nil {
			return
		}
		for _, text := range texts(v) {
			if !slices.ContainsFunc(got, func(g string) bool {
				return strings.ToValidUTF8(g, "\ufffd") == text || strings.Contains(g, "\ufffd") || !utf8OK(g)
			}) {
				t.Fatalf("%q: %q is not handed out, only %q", s, text, got)
			}
		}
	})
}

func utf8OK(s string) bool { return strings.ToValidUTF8(s, "") == s }

func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, texts(e)...)
		}
		return out
	case map[string]any:
		var out []string
		for _, e := range v {
			out = append(out, texts(e)...)
		}
		return out
	}
	return nil
}
