package sqltext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Class is what a token is.
type Class int

// Classes of tokens. Names in quotes are Quoted, others are Word, whether keywords or not.
const (
	Word Class = iota
	Quoted
	String
	Number
	Param
	Operator
	Punct // ( ) [ ] , ; . : ::
)

// Token is a piece of a statement. Text is as written; for Word it is in lower case, for Quoted and String without quotes.
type Token struct {
	Class    Class
	Text     string
	From, To int // bytes of the statement
}

// Is tells whether the token is that keyword or punctuation.
func (t Token) Is(text string) bool {
	return (t.Class == Word || t.Class == Punct || t.Class == Operator) && t.Text == text
}

// Lex cuts a text into tokens; white space and comments are dropped. ok is false when a string, name or comment does not end.
func Lex(sql string) (tokens []Token, ok bool) {
	l := &lexer{s: sql}
	for l.skip() {
		l.next()
	}
	return l.out, !l.broken
}

type lexer struct {
	s      string
	i      int
	out    []Token
	broken bool
}

// skip passes over white space and comments; false at the end.
func (l *lexer) skip() bool {
	for l.i < len(l.s) {
		switch rest := l.s[l.i:]; {
		case strings.IndexByte(" \t\r\n\f\v", rest[0]) >= 0:
			l.i++
		case strings.HasPrefix(rest, "--"):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest) - 1
			}
			l.i += end + 1
		case strings.HasPrefix(rest, "/*"):
			l.comment()
		default:
			return true
		}
	}
	return false
}

// comment passes over a block comment; they nest.
func (l *lexer) comment() {
	for depth := 0; l.i < len(l.s); {
		switch rest := l.s[l.i:]; {
		case strings.HasPrefix(rest, "/*"):
			depth++
			l.i += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			l.i += 2
			if depth == 0 {
				return
			}
		default:
			l.i++
		}
	}
	l.broken = true
}

func (l *lexer) add(c Class, text string, from int) {
	l.out = append(l.out, Token{c, text, from, l.i})
}

func (l *lexer) next() {
	from, c := l.i, l.s[l.i]
	switch {
	case c == '\'':
		l.quoted('\'', false)
	case c == '"':
		l.quoted('"', false)
	case c == '$':
		l.dollar()
	case c >= '0' && c <= '9', c == '.' && l.at(1) >= '0' && l.at(1) <= '9':
		l.number()
	case strings.IndexByte("()[],;.", c) >= 0:
		l.i++
		l.add(Punct, l.s[from:l.i], from)
	case c == ':':
		l.i++
		if l.at(0) == ':' || l.at(0) == '=' {
			l.i++
		}
		l.add(Punct, l.s[from:l.i], from)
	case strings.IndexByte(operatorBytes, c) >= 0:
		l.operator()
	default:
		l.word()
	}
}

const operatorBytes = "+-*/<>=~!@#%^&|`?"

// at is the byte that far ahead, 0 after the end.
func (l *lexer) at(n int) byte {
	if l.i+n < len(l.s) {
		return l.s[l.i+n]
	}
	return 0
}

// quoted reads to the closing quote; two of them are one within, and with escapes a backslash takes the next byte along.
func (l *lexer) quoted(q byte, escapes bool) {
	from := l.i
	var b strings.Builder
	for l.i++; l.i < len(l.s); l.i++ {
		c := l.s[l.i]
		switch {
		case escapes && c == '\\' && l.i+1 < len(l.s):
			l.i++
			b.WriteByte(l.s[l.i])
		case c == q && l.at(1) == q:
			l.i++
			b.WriteByte(q)
		case c == q:
			l.i++
			class := String
			if q == '"' {
				class = Quoted
			}
			l.add(class, b.String(), from)
			return
		default:
			b.WriteByte(c)
		}
	}
	l.broken = true
	l.add(String, b.String(), from)
}

// dollar reads $1, or a string between $tag$ and $tag$.
func (l *lexer) dollar() {
	from := l.i
	end := l.i + 1
	for end < len(l.s) && l.s[end] >= '0' && l.s[end] <= '9' {
		end++
	}
	if end > l.i+1 {
		l.i = end
		l.add(Param, l.s[from:end], from)
		return
	}
	for end < len(l.s) && isWord(rune(l.s[end])) && l.s[end] != '$' {
		end++
	}
	if end >= len(l.s) || l.s[end] != '$' {
		l.i++
		l.add(Operator, "$", from)
		return
	}
	tag := l.s[from : end+1]
	close := strings.Index(l.s[end+1:], tag)
	if close < 0 {
		l.broken, l.i = true, len(l.s)
		l.add(String, l.s[end+1:], from)
		return
	}
	text := l.s[end+1 : end+1+close]
	l.i = end + 1 + close + len(tag)
	l.add(String, text, from)
}

func (l *lexer) number() {
	from := l.i
	for l.i < len(l.s) {
		c := l.s[l.i]
		if (c == '+' || c == '-') && (l.s[l.i-1] == 'e' || l.s[l.i-1] == 'E') {
			l.i++
			continue
		}
		if c != '.' && c != '_' && !isAlnum(c) {
			break
		}
		if c == '.' && l.at(1) == '.' {
			break
		}
		l.i++
	}
	l.add(Number, l.s[from:l.i], from)
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// operator reads operator characters up to a comment.
func (l *lexer) operator() {
	from := l.i
	for l.i < len(l.s) && strings.IndexByte(operatorBytes, l.s[l.i]) >= 0 {
		if l.i > from && (strings.HasPrefix(l.s[l.i:], "--") || strings.HasPrefix(l.s[l.i:], "/*")) {
			break
		}
		l.i++
	}
	// a sign after another operator is a sign: a=-1, unless the operator has one of these characters
	if text := l.s[from:l.i]; len(text) > 1 && strings.HasSuffix(text, "-") && !strings.ContainsAny(text, "~!@#%^&|`?") {
		l.i--
	}
	l.add(Operator, l.s[from:l.i], from)
}

func isWord(r rune) bool {
	return r == '_' || r == '$' || unicode.IsLetter(r) || unicode.IsDigit(r) || r >= utf8.RuneSelf
}

// word reads a name or keyword; E'…', B'…', X'…', N'…' and U&'…' are strings.
func (l *lexer) word() {
	from := l.i
	for l.i < len(l.s) {
		r, n := utf8.DecodeRuneInString(l.s[l.i:])
		if !isWord(r) {
			break
		}
		l.i += n
	}
	if l.i == from { // a character that means nothing here
		l.i++
		l.add(Operator, l.s[from:l.i], from)
		return
	}
	word := strings.ToLower(l.s[from:l.i])
	switch {
	case l.at(0) == '\'' && (word == "e" || word == "b" || word == "x" || word == "n"):
		l.quoted('\'', word == "e")
		l.out[len(l.out)-1].From = from
	case word == "u" && l.at(0) == '&' && (l.at(1) == '\'' || l.at(1) == '"'):
		l.i++
		l.quoted(l.at(0), false)
		l.out[len(l.out)-1].From = from
	default:
		l.add(Word, word, from)
	}
}
