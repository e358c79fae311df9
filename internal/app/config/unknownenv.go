package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// otherEnv are the variables that are no keys: of commands, of what runs below `up`, of tests and benchmarks.
var otherEnv = regexp.MustCompile(`^STAMPEDE_(LOAD_NATS|NATS_TOKEN|READY_FD|LISTEN_FD|CRASH_AT|(SOAK|BENCH|TEST)(_.*)?|` +
	// what Kubernetes makes of a Service whose name begins with stampede
	`(.*_)?SERVICE_(HOST|PORT(_.*)?)|(.*_)?PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// UnknownEnv has a sentence for each STAMPEDE_* variable of environ (NAME=VALUE) that nobody reads, with the name that it is likely meant to
// be: a word with a letter wrong would otherwise change nothing, silently.
func UnknownEnv(environ []string) (warnings []string) {
	var known []string
	leaves(reflect.TypeFor[Config](), "", func(key string) { known = append(known, envName(key)) })
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, EnvPrefix) || slices.Contains(known, name) || otherEnv.MatchString(name) {
			continue
		}
		hint := "`stampede config show` lists the keys there are"
		if near := nearestName(name, known); near != "" {
			hint = "did you mean " + near + "?"
		}
		warnings = append(warnings, fmt.Sprintf("%s: there is no such setting, so it changes nothing: %s", name, hint))
	}
	slices.Sort(warnings)
	return warnings
}

// nearestName is the known name with the fewest letters to change, or "" when so many would have to change that it is another one. Words
// that were left out count little: EDGE_WAF is nearest to EDGE_WAF_MODE.
func nearestName(name string, known []string) (nearest string) {
	words := strings.Split(strings.TrimPrefix(name, EnvPrefix), "_")
	least := len(name) - len(EnvPrefix)
	for _, k := range known {
		d := 3 * lettersToChange(name, k)
		if missing := strings.Split(strings.TrimPrefix(k, EnvPrefix), "_"); len(missing) > len(words) {
			has := func(w string) bool { return slices.Contains(missing, w) }
			if !slices.ContainsFunc(words, func(w string) bool { return !has(w) }) {
				d = len(missing) - len(words)
			}
		}
		if d < least {
			nearest, least = k, d
		}
	}
	return nearest
}

// lettersToChange is the Levenshtein distance.
func lettersToChange(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
