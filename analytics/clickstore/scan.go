package clickstore

import (
	"regexp"
	"strings"

	"github.com/stampede-shop/stampede/analytics"
)

// bare is SQL without what is in quotes and in comments, and so what its words are.
func bare(sql string) string {
	var out strings.Builder
	for i := 0; i < len(sql); {
		n := skipped(sql[i:])
		if n == 0 {
			out.WriteByte(sql[i])
			n = 1
		} else {
			out.WriteByte(' ')
		}
		i += n
	}
	return out.String()
}

// skipped is how long the quotation or comment is that s begins with; 0 for none.
func skipped(s string) int {
	end := func(after int, mark string) int {
		if i := strings.Index(s[after:], mark); i >= 0 {
			return after + i + len(mark)
		}
		return len(s)
	}
	switch c := s[0]; {
	case c == '\'', c == '"', c == '`':
		for i := 1; i < len(s); i++ {
			if s[i] == '\\' {
				i++
			} else if s[i] == c {
				return i + 1
			}
		}
		return len(s)
	case strings.HasPrefix(s, "--"), strings.HasPrefix(s, "# "), strings.HasPrefix(s, "#!"):
		return end(1, "\n")
	case strings.HasPrefix(s, "/*"):
		return end(2, "*/")
	case c == '$':
		if mark := heredoc.FindString(s); mark != "" {
			return end(len(mark), mark)
		}
	}
	return 0
}

var (
	heredoc   = regexp.MustCompile(`^\$\w*\$`)
	reads     = regexp.MustCompile(`(?i)^[\s(]*(SELECT|WITH|EXPLAIN)\b`)
	explains  = regexp.MustCompile(`(?i)^\s*EXPLAIN(\s+(AST|SYNTAX|PLAN|PIPELINE|ESTIMATE|QUERY\s+TREE))?((\s|,)+\w+\s*=\s*\w+)*\s+(SELECT|WITH)\b`)
	explained = regexp.MustCompile(`(?i)^\s*EXPLAIN\b`)
	settings  = regexp.MustCompile(`(?i)(^|[^.\w])SETTINGS\b`)
	trailing  = regexp.MustCompile(`[\s;]+$`)
)

// onlyReads refuses whatever is not a single SELECT, or EXPLAIN of one, and tells which of them it is. The server looks again, with
// readonly=1, but takes settings that are in the SQL for its word: "SETTINGS readonly = 0" in a subquery opens files.
func onlyReads(sql string) (query string, explain bool, err error) {
	query = trailing.ReplaceAllString(sql, "")
	words := trailing.ReplaceAllString(bare(sql), "")
	explain = explained.MatchString(words)
	if !reads.MatchString(words) || strings.Contains(words, ";") || settings.MatchString(words) || explain && !explains.MatchString(words) {
		return "", false, analytics.ErrNotRead
	}
	return query, explain, nil
}
