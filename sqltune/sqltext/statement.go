package sqltext

import (
	"strings"
)

// Split cuts a text into statements, without semicolons and empty ones. ok is as for Lex.
func Split(sql string) (list []string, ok bool) {
	tokens, ok := Lex(sql)
	first, last := -1, 0
	end := func() {
		if first >= 0 {
			list = append(list, sql[first:last])
		}
		first = -1
	}
	for _, t := range tokens {
		if t.Is(";") {
			end()
			continue
		}
		if first < 0 {
			first = t.From
		}
		last = t.To
	}
	end()
	return list, ok
}

// Kind is what a statement does.
type Kind int

// Kinds. Locking is a SELECT … FOR UPDATE or FOR SHARE: it changes nothing, but locks rows.
const (
	Other Kind = iota // DDL, SET, CALL, EXPLAIN and whatever else
	Read
	Locking
	Write
)

func (k Kind) String() string { return [...]string{"other", "read", "locking read", "write"}[k] }

// KindOf says what a statement does, by its words.
func KindOf(sql string) Kind {
	tokens, _ := Lex(sql)
	for len(tokens) > 0 && tokens[0].Is("(") {
		tokens = tokens[1:]
	}
	if len(tokens) == 0 || tokens[0].Class != Word {
		return Other
	}
	switch tokens[0].Text {
	case "insert", "update", "delete", "merge":
		return Write
	case "select", "with", "values", "table":
		return reading(tokens)
	}
	return Other
}

// reading looks for what makes a SELECT or WITH more than a read: SELECT INTO, statements that write in a CTE, row locks.
func reading(tokens []Token) Kind {
	kind := Read
	before := func(i int) string {
		if i == 0 {
			return ""
		}
		return tokens[i-1].Text
	}
	for i, t := range tokens {
		if t.Class != Word || before(i) == "." {
			continue
		}
		switch t.Text {
		case "insert", "delete", "merge":
			if begins(tokens, i) {
				return Write
			}
		case "update":
			if begins(tokens, i) {
				return Write
			}
			if b := before(i); b == "for" || b == "key" {
				kind = Locking
			}
		case "share":
			if b := before(i); b == "for" || b == "key" {
				kind = Locking
			}
		case "into":
			return Write
		}
	}
	return kind
}

// begins tells whether the i-th token begins a statement that writes: INSERT INTO, DELETE FROM, MERGE INTO, UPDATE name … SET after a
// parenthesis, or after the one that ends the CTEs.
func begins(tokens []Token, i int) bool {
	return i > 0 && (tokens[i-1].Is("(") || tokens[i-1].Is(")")) && i+1 < len(tokens) &&
		(tokens[i+1].Class == Word || tokens[i+1].Class == Quoted)
}

// Limited tells whether a query says how many rows it returns at most, at its top.
func Limited(sql string) bool {
	tokens, _ := Lex(sql)
	depth := 0
	for i, t := range tokens {
		switch {
		case t.Is("("):
			depth++
		case t.Is(")"):
			depth--
		case depth == 0 && t.Is("fetch"):
			return true
		case depth == 0 && t.Is("limit"):
			return i+1 < len(tokens) && !tokens[i+1].Is("all") && !tokens[i+1].Is("null")
		}
	}
	return false
}

// WithLimit bounds a query that is not. It goes around it, so that whatever the query ends with stays what it is.
func WithLimit(sql string, rows string) string {
	return "SELECT * FROM (\n" + strings.TrimRight(strings.TrimSpace(sql), "; \n\t") + "\n) AS limited LIMIT " + rows
}

// Functions are the names that a statement calls, without schemas.
func Functions(sql string) (names []string) {
	tokens, _ := Lex(sql)
	for i := 0; i+1 < len(tokens); i++ {
		if t := tokens[i]; (t.Class == Word || t.Class == Quoted) && tokens[i+1].Is("(") {
			names = append(names, t.Text)
		}
	}
	return names
}

// Offset tells whether a query skips rows by OFFSET, at any depth, and by what it says they are.
func Offset(sql string) (rows string, ok bool) {
	tokens, _ := Lex(sql)
	for i := 0; i+1 < len(tokens); i++ {
		if n := tokens[i+1]; tokens[i].Is("offset") && (n.Class == Number || n.Class == Param || n.Class == String) && n.Text != "0" {
			return n.Text, true
		}
	}
	return "", false
}

// Fingerprint is the same for statements that differ in values, white space, case of keywords, comments and lengths of lists alone.
func Fingerprint(sql string) string {
	tokens, _ := Lex(sql)
	var out []string
	for _, t := range tokens {
		text := t.Text
		switch t.Class {
		case String, Number, Param:
			text = "?"
			if n := len(out); n > 0 && out[n-1] == "-" && (n == 1 || signed[out[n-2]]) {
				out = out[:n-1]
			}
		case Quoted:
			text = `"` + t.Text + `"`
		}
		if text == ";" {
			continue
		}
		out = append(out, text)
		out = fold(out)
	}
	return strings.Join(out, " ")
}

// signed are tokens after which a minus is a sign.
var signed = map[string]bool{"(": true, ",": true, "=": true, "<": true, ">": true, "<=": true, ">=": true, "<>": true, "!=": true,
	"limit": true, "offset": true, "and": true, "or": true, "between": true, "then": true, "else": true, "select": true, "[": true}

// fold makes one of what repeats at the end: "?, ?" and "( ? ), ( ? )".
func fold(out []string) []string {
	if n := len(out); n >= 3 && out[n-1] == "?" && out[n-2] == "," && out[n-3] == "?" {
		return out[:n-2]
	}
	if n := len(out); n >= 7 && strings.Join(out[n-7:], "") == "(?),(?)" {
		return out[:n-4]
	}
	return out
}
