package waf

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	crs "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental"
	"golang.org/x/sync/errgroup"
)

//go:embed rules/*.conf
var own embed.FS

// notProse takes a rule off the fields of the shop that people write freely.
const notProse = `!ARGS:/^(?:json\.)?(?:\d+\.)?(?:q|query|search|name|brand|category|title|headline|description|(?:shipping_address|attributes)\..+)$/`

// crsFolder is where the rule set's module keeps its rules.
const crsFolder = "@owasp_crs/"

// ruleset is one version of the rules, compiled. A request is inspected with the one that was in force when it came.
type ruleset struct {
	full   coraza.WAF // everything: its verdict is the verdict
	text   coraza.WAF // detections that look at values, for values of any kind; nil without a fast path
	words  coraza.WAF // those of them that can match plain text
	raw    coraza.WAF // detections that look at queries and forms as they are written
	path   coraza.WAF // detections that look at paths
	custom coraza.WAF // the operator's own rules, when they have any and text is not nil
	count  int        // rules in full
}

// files is a tree of rules: the rule set's, with what we add, and the operator's by absolute path.
type files map[string]string

// Open implements fs.FS.
func (f files) Open(name string) (fs.File, error) { return crs.FS.Open(name) }

// ReadFile implements fs.ReadFileFS.
func (f files) ReadFile(name string) ([]byte, error) {
	if text, ok := f[name]; ok {
		return []byte(text), nil
	}
	if filepath.IsAbs(name) {
		return os.ReadFile(name) //nolint:gosec // a data file next to a rule file that the operator named
	}
	return fs.ReadFile(crs.FS, name)
}

// source is a file to load, in this order.
type source struct{ name, text string }

// compile makes the rule set that o and the operator's files ask for.
func compile(o Options, paths []string) (*ruleset, error) {
	before, after, err := readOwn(paths)
	if err != nil {
		return nil, err
	}
	full, err := fullSources(o, before, after)
	if err != nil {
		return nil, err
	}
	rs := &ruleset{}
	sets := map[*coraza.WAF][]source{&rs.full: full}
	if custom, tame := customRules(slices.Concat(before, after)); o.worthwhile() && tame {
		if err := rs.addFast(sets, o, custom); err != nil {
			return nil, err
		}
	}
	// At once: an edge that starts anew has shoppers waiting, and most of its start is this.
	var all errgroup.Group
	for into, sources := range sets {
		all.Go(func() (err error) { *into, err = load(o, sources); return err })
	}
	if err := all.Wait(); err != nil {
		rs.close()
		return nil, err
	}
	if counter, ok := rs.full.(experimental.WAFWithRules); ok {
		rs.count = counter.RulesCount()
	}
	return rs, nil
}

// addFast adds the smaller rule sets of the fast path.
func (rs *ruleset) addFast(sets map[*coraza.WAF][]source, o Options, custom []source) error {
	setup := source{"fast-setup", fastSetup(o)}
	text, words, err := valueRules(o.Paranoia)
	if err != nil {
		return err
	}
	raw, err := rulesOn(rawTargets, o.Paranoia)
	if err != nil {
		return err
	}
	path, err := rulesOn(pathTargets, o.Paranoia)
	if err != nil {
		return err
	}
	for into, f := range map[*coraza.WAF]source{&rs.text: {"text.conf", text}, &rs.words: {"words.conf", words}, &rs.raw: {"raw.conf", raw}, &rs.path: {"path.conf", path}} {
		sets[into] = []source{setup, {crsFolder + f.name, f.text}}
	}
	if len(custom) > 0 {
		sets[&rs.custom] = append([]source{setup}, custom...)
	}
	return nil
}

// close gives back what the compiled rules hold in the engine's memory of expressions. Requests in flight are not hurt.
func (rs *ruleset) close() {
	for _, w := range []coraza.WAF{rs.full, rs.text, rs.words, rs.raw, rs.path, rs.custom} {
		if c, ok := w.(experimental.WAFCloser); ok {
			_ = c.Close() // only forgets; reports nothing
		}
	}
}

func fullSources(o Options, before, after []source) ([]source, error) {
	names, err := fs.Glob(crs.FS, crsFolder+"REQUEST-*.conf")
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("waf: the rule set is missing: %w", err)
	}
	out := []source{{"setup", mustOwn("setup.conf")}, {"limits", limits(o)}}
	if o.Profile == ProfileShop {
		out = append(out, source{"shop-before", mustOwn("shop-before.conf")})
	}
	out = append(out, before...)
	for _, name := range names { // Glob sorts
		text, err := fs.ReadFile(crs.FS, name)
		if err != nil {
			return nil, fmt.Errorf("waf: the rule set is missing: %w", err)
		}
		out = append(out, source{name, withSieve(string(text))})
	}
	out = append(out, source{"paranoia", aboveParanoia(o.Paranoia)})
	if o.Profile == ProfileShop {
		out = append(out, source{"shop-after", strings.ReplaceAll(mustOwn("shop-after.conf"), "@PROSE@", notProse)})
	}
	return append(out, after...), nil
}

func mustOwn(name string) string {
	b, err := own.ReadFile("rules/" + name)
	if err != nil {
		panic("waf: " + err.Error()) // it is embedded
	}
	return string(b)
}

func limits(o Options) string {
	return fmt.Sprintf(`SecArgumentsLimit %d
SecAction "id:900000,phase:1,pass,t:none,nolog,setvar:tx.blocking_paranoia_level=%d,setvar:tx.detection_paranoia_level=%d"
`, argumentsLimit(o), o.Paranoia, o.Paranoia)
}

// argumentsLimit leaves room for numbers, which are handed over as well but do not count.
func argumentsLimit(o Options) int { return o.MaxValues + 1000 }

func fastSetup(o Options) string {
	return fmt.Sprintf("SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess Off\nSecAuditEngine Off\nSecRxPreFilter Off\n"+
		"SecDefaultAction \"phase:1,log,noauditlog,pass\"\nSecDefaultAction \"phase:2,log,noauditlog,pass\"\nSecArgumentsLimit %d\n", argumentsLimit(o))
}

// aboveParanoia removes the rules of higher levels, which would only be skipped on every request.
func aboveParanoia(level int) string {
	var b strings.Builder
	for l := level + 1; l <= 4; l++ {
		b.WriteString("SecRuleRemoveByTag paranoia-level/" + strconv.Itoa(l) + "\n")
	}
	return b.String()
}

// load compiles sources in order. An error names the file and the line.
func load(o Options, sources []source) (coraza.WAF, error) {
	registerSieve()
	tree := files{}
	cfg := coraza.NewWAFConfig().WithRootFS(tree).WithRequestBodyAccess().
		WithRequestBodyLimit(int(o.MaxBodyBytes) + 1).WithRequestBodyInMemoryLimit(int(o.MaxBodyBytes) + 1)
	for _, s := range sources {
		tree[s.name] = s.text
		cfg = cfg.WithDirectivesFromFile(s.name)
	}
	w, err := coraza.NewWAF(cfg)
	if err != nil {
		return nil, diagnose(cfg, sources, err)
	}
	return w, nil
}
