package waf

import (
	"slices"
	"strings"
)

// directive is one logical line of a rule file, continuation lines joined.
type directive struct {
	text string
	line int // where it begins, from 1
}

// directives splits a rule file as the engine's own parser does: comments dropped, lines that end in a backslash
// joined, text between backticks kept together.
func directives(file string) []directive {
	var (
		out    []directive
		joined strings.Builder
		start  int
		quoted bool
	)
	for i, line := range strings.Split(file, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if start == 0 {
			start = i + 1
		}
		switch last := line[len(line)-1]; {
		case !quoted && last == '`':
			quoted = true
		case quoted && line[0] == '`':
			quoted = false
		}
		if quoted {
			joined.WriteString(line + "\n")
			continue
		}
		if before, ok := strings.CutSuffix(line, `\`); ok {
			joined.WriteString(before)
			continue
		}
		joined.WriteString(line)
		out = append(out, directive{text: joined.String(), line: start})
		joined.Reset()
		start = 0
	}
	if joined.Len() > 0 {
		out = append(out, directive{text: joined.String(), line: start})
	}
	return out
}

// rule is a SecRule taken apart as far as choosing needs.
type rule struct {
	text     string
	targets  []string // ARGS, REQUEST_HEADERS:User-Agent, !ARGS:x
	operator string   // rx, pmFromFile, …
	negated  bool
	argument string
	actions  []string
}

// parseRule takes a SecRule apart; ok is false for anything else.
func parseRule(text string) (r rule, ok bool) {
	rest, found := cutDirective(text, "SecRule")
	if !found {
		return r, false
	}
	r.text = text
	targets, rest := word(rest)
	op, rest := word(rest)
	actions, _ := word(rest)
	r.targets = strings.Split(targets, "|")
	op, r.negated = strings.CutPrefix(op, "!")
	if name, arg, _ := strings.Cut(op, " "); strings.HasPrefix(name, "@") {
		r.operator, r.argument = name[1:], strings.TrimSpace(arg)
	} else {
		r.operator, r.argument = "rx", op
	}
	r.actions = splitActions(actions)
	return r, true
}

func cutDirective(text, name string) (rest string, ok bool) {
	first, rest, _ := strings.Cut(text, " ")
	return strings.TrimSpace(rest), strings.EqualFold(first, name)
}

// word takes the next argument, which may stand in double quotes with \" inside.
func word(s string) (arg, rest string) {
	s = strings.TrimLeft(s, " \t")
	if s == "" || s[0] != '"' {
		arg, rest, _ = strings.Cut(s, " ")
		return arg, rest
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == '"':
			i++
			b.WriteByte('"')
		case s[i] == '"':
			return b.String(), s[i+1:]
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}

// splitActions splits at commas that are not in single quotes.
func splitActions(s string) []string {
	var out []string
	start, quoted := 0, false
	for i := range len(s) {
		switch {
		case s[i] == '\'' && (i == 0 || s[i-1] != '\\'):
			quoted = !quoted
		case s[i] == ',' && !quoted:
			out = append(out, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	return append(out, strings.TrimSpace(s[start:]))
}

func (r rule) chained() bool { return slices.Contains(r.actions, "chain") }

// values of all actions of a name: "tag", "t", "id".
func (r rule) values(action string) []string {
	var out []string
	for _, a := range r.actions {
		if v, ok := strings.CutPrefix(a, action+":"); ok {
			out = append(out, strings.Trim(v, "'"))
		}
	}
	return out
}

// group is a rule with those chained to it.
type group []rule

// groups finds the rules of a file; directives that are no SecRule are left out.
func groups(file string) []group {
	var (
		out []group
		now group
	)
	for _, d := range directives(file) {
		r, ok := parseRule(d.text)
		if !ok {
			continue
		}
		now = append(now, r)
		if !r.chained() {
			out, now = append(out, now), nil
		}
	}
	return out
}

// paranoia is the paranoia level of a detection, 0 for a rule that only steers.
func (g group) paranoia() int {
	for _, tag := range g[0].values("tag") {
		if level, ok := strings.CutPrefix(tag, "paranoia-level/"); ok && len(level) == 1 {
			return int(level[0] - '0')
		}
	}
	return 0
}
