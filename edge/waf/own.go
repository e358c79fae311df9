package waf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxRuleFile bounds a rule file of the operator.
const maxRuleFile = 4 << 20

// readOwn reads the operator's files, and tells those that come before the rule set from those that come after.
func readOwn(paths []string) (before, after []source, err error) {
	for _, path := range paths {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, nil, fmt.Errorf("waf: rule file %s: %w", path, err)
		}
		text, err := readBounded(abs)
		if err != nil {
			return nil, nil, fmt.Errorf("waf: rule file: %w", err)
		}
		if s := (source{abs, text}); strings.Contains(strings.ToLower(filepath.Base(abs)), "before") {
			before = append(before, s)
		} else {
			after = append(after, s)
		}
	}
	return before, after, nil
}

func readBounded(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Size() > maxRuleFile {
		return "", fmt.Errorf("%s has %d bytes: at most %d are read", path, info.Size(), maxRuleFile)
	}
	b, err := os.ReadFile(path) //nolint:gosec // the operator named it
	return string(b), err
}

// customRules takes the operator's own rules out of their files. They are tame when they neither keep state nor steer
// other rules: then they can be asked on their own, and the rest of the request may take the fast path. Directives
// that only take rules away leave it open too.
func customRules(sources []source) (custom []source, tame bool) {
	for _, s := range sources {
		var b strings.Builder
		line := 1
		for _, d := range directives(s.text) {
			name, _, _ := strings.Cut(strings.ToLower(d.text), " ")
			switch name {
			case "secruleremovebyid", "secruleremovebytag", "secruleremovebymsg", "secruleupdatetargetbyid", "secruleupdatetargetbytag":
				continue
			case "secrule":
			default:
				return nil, false
			}
			r, _ := parseRule(d.text)
			for _, a := range r.actions {
				for _, wild := range []string{"setvar", "initcol", "ctl", "skip", "allow"} {
					if strings.HasPrefix(a, wild) {
						return nil, false
					}
				}
			}
			for ; line < d.line; line++ { // keeps the line numbers
				b.WriteByte('\n')
			}
			b.WriteString(d.text + "\n")
			line++
		}
		if b.Len() > 0 {
			custom = append(custom, source{s.name, b.String()})
		}
	}
	return custom, true
}
