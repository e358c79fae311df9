package local

import (
	"regexp"
	"strings"
)

var plainWord = regexp.MustCompile(`^[\w./:@%+,=-]+$`)

// ShellWord is s as it is typed into a shell, quoted where it must be: for messages that name a command to run.
func ShellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
