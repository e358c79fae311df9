package waf

import (
	"fmt"
	"io/fs"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
	"unicode"

	crs "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"pgregory.net/rapid"
)

// expression is one of the rule set's, with its sieves.
type expression struct {
	id   string
	tree *syntax.Regexp
	*sieved
}

// expressions are all that the sieve is used for.
func expressions(t *testing.T) (all []expression) {
	t.Helper()
	names, _ := fs.Glob(crs.FS, crsFolder+"REQUEST-*.conf")
	for _, name := range names {
		b, err := fs.ReadFile(crs.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range groups(string(b)) {
			for _, r := range g {
				if r.operator != "rx" || matchesBytes(r.argument) {
					continue
				}
				op, err := newSieved(plugintypes.OperatorOptions{Arguments: r.argument})
				if err != nil {
					t.Fatal(g[0].values("id"), err)
				}
				tree, _ := syntax.Parse("(?sm)"+r.argument, syntax.Perl)
				all = append(all, expression{first(g[0].values("id")), tree.Simplify(), op.(*sieved)})
			}
		}
	}
	if len(all) < 200 {
		t.Fatalf("only %d expressions", len(all))
	}
	return all
}

// sentence draws a text out of an expression: one that matches it, but for its assertions.
func sentence(t *rapid.T, re *syntax.Regexp, b *strings.Builder) {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if re.Flags&syntax.FoldCase != 0 && rapid.Bool().Draw(t, "case") {
				r = unicode.SimpleFold(r)
			}
			b.WriteRune(r)
		}
	case syntax.OpCharClass:
		i := 2 * rapid.IntRange(0, len(re.Rune)/2-1).Draw(t, "range")
		b.WriteRune(re.Rune[i] + rune(rapid.IntRange(0, int(min(re.Rune[i+1]-re.Rune[i], 200))).Draw(t, "char")))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteString(rapid.SampledFrom([]string{"x", " ", "'", "$", "é", ";", "\xff"}).Draw(t, "any"))
	case syntax.OpAlternate:
		sentence(t, rapid.SampledFrom(re.Sub).Draw(t, "branch"), b)
	case syntax.OpQuest:
		if rapid.Bool().Draw(t, "there") {
			sentence(t, re.Sub[0], b)
		}
	case syntax.OpStar, syntax.OpPlus:
		for range rapid.IntRange(int(re.Op-syntax.OpStar), 2).Draw(t, "times") {
			sentence(t, re.Sub[0], b)
		}
	default:
		for _, sub := range re.Sub {
			sentence(t, sub, b)
		}
	}
}

// Whatever an expression of the rule set matches passes its sieve: tried with texts drawn out of the expressions.
func TestSieveOverlooksNothing(t *testing.T) {
	t.Parallel()
	all := expressions(t)
	matched, sieves := 0, 0
	for _, e := range all {
		if e.any != nil || e.marks != nil {
			sieves++
		}
	}
	around := rapid.OneOf(rapid.SampledFrom([]string{"", " ", "a", "=", ";", "/", "\n", "(", "'", "K", "ſ"}), plainText())
	thin(t, func(t *rapid.T) {
		e := all[rapid.IntRange(0, len(all)-1).Draw(t, "expression")]
		for range 20 {
			var b strings.Builder
			b.WriteString(around.Draw(t, "before"))
			sentence(t, e.tree, &b)
			b.WriteString(around.Draw(t, "after"))
			text := b.String()
			for _, s := range []string{text, strings.ToUpper(text), strings.ReplaceAll(text, "k", "K"), strings.ReplaceAll(text, "s", "ſ")} {
				if e.re.MatchString(s) {
					matched++
					if !e.mayMatch(s) {
						t.Fatalf("%s: %q matches, and does not pass", e.id, s)
					}
				}
			}
		}
	})
	t.Logf("%d expressions, %d with a sieve, %d matches", len(all), sieves, matched)
	if matched < 100 || sieves < len(all)*2/3 {
		t.Error("this shows too little")
	}
}

func TestNeeded(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		`union\s+select`: "[unionselect]", `(?i)(?:Eval|exec)\(`: "[eval( exec(]", `a+b`: "[]", `x(?:ab|cd)*yz`: "[yz]", `foo|b`: "[]", `(?:foo|ba[rz]).*`: "[bar baz foo]",
		`fo{2,3}\b`: "[foo fooo]", `.*`: "[]", `(?i)straße`: "[]", `["']?drop["']? table`: "[droptable]", `[^a]bc`: "[bc]", `(?i)skip`: "[skip]",
	} {
		tree, err := syntax.Parse(expr, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		got := neededBy(tree)
		slices.Sort(got)
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %q, want %s", expr, got, want)
		}
	}
	for expr, want := range map[string]string{`a<b`: "<", `[<>]x|;`: ";<>", `a|<`: "", `(?:<x)?`: "", `(?:;y)+`: ";", `[a<]`: ""} {
		tree, _ := syntax.Parse(expr, syntax.Perl)
		got := ""
		if m := marksOf(tree); m != nil {
			for c, is := range m {
				if is {
					got += string(rune(c))
				}
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}
