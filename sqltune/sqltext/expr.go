package sqltext

import (
	"slices"
	"strings"
)

// Op is what an expression is made by.
type Op int

// Kinds of expressions. What is not understood is OpaqueExpr, with its text.
const (
	OpaqueExpr Op = iota
	ColumnRef     // Name, and Table when qualified
	Constant
	ParamRef // $1, or the result of an init plan
	AndExpr
	OrExpr
	NotExpr
	Binary   // Name is the operator
	NullTest // Name is "is null", "is not null", "is true" …
	Call     // Name is the function
	Cast     // Name is the type
	Quantor  // operator ANY|ALL (list): Name is the operator; All tells which
	Subplan
)

// Expr is an expression of a condition as plans show it.
type Expr struct {
	Op          Op
	Name, Table string
	Args        []*Expr
	All         bool
	Text        string // as written
}

// Walk calls fn for the expression and all within it.
func (e *Expr) Walk(fn func(*Expr)) {
	if e == nil {
		return
	}
	fn(e)
	for _, a := range e.Args {
		a.Walk(fn)
	}
}

// Columns are the columns that the expression reads.
func (e *Expr) Columns() (cols []*Expr) {
	e.Walk(func(x *Expr) {
		if x.Op == ColumnRef {
			cols = append(cols, x)
		}
	})
	return cols
}

// Conjuncts are the conditions that must all hold.
func (e *Expr) Conjuncts() []*Expr {
	if e == nil {
		return nil
	}
	if e.Op != AndExpr {
		return []*Expr{e}
	}
	var out []*Expr
	for _, a := range e.Args {
		out = append(out, a.Conjuncts()...)
	}
	return out
}

// Fixed tells whether the expression has the same value for every row: it reads no column and asks no subplan.
func (e *Expr) Fixed() bool {
	fixed := true
	e.Walk(func(x *Expr) {
		if x.Op == ColumnRef || x.Op == Subplan || x.Op == OpaqueExpr {
			fixed = false
		}
	})
	return fixed
}

// ParseExpr reads a condition. It never fails: what it does not understand is opaque. It takes time in proportion to the text.
func ParseExpr(text string) *Expr {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	tokens, ok := Lex(text)
	p := &parser{text: text, tokens: tokens}
	e := p.binary(0)
	if !ok || p.failed || p.i < len(p.tokens) {
		return &Expr{Op: OpaqueExpr, Text: text}
	}
	return e
}

const maxDepth = 500

type parser struct {
	text   string
	tokens []Token
	i      int
	depth  int
	failed bool
}

func (p *parser) peek() Token {
	if p.i < len(p.tokens) {
		return p.tokens[p.i]
	}
	return Token{Class: Punct}
}

func (p *parser) accept(texts ...string) bool {
	for k, t := range texts {
		if p.i+k >= len(p.tokens) || !p.tokens[p.i+k].Is(t) {
			return false
		}
	}
	p.i += len(texts)
	return true
}

func (p *parser) expect(text string) {
	if !p.accept(text) {
		p.failed = true
	}
}

func (p *parser) since(i int) string {
	if i >= len(p.tokens) || p.i == 0 || p.i <= i {
		return ""
	}
	return p.text[p.tokens[i].From:p.tokens[p.i-1].To]
}

// strengths of operators, weakest first; all that are not named here bind like "other".
const (
	orLevel = iota + 1
	andLevel
	notLevel
	isLevel
	compareLevel
	likeLevel
	otherLevel
	addLevel
	mulLevel
	powLevel
)

var comparisons = []string{"=", "<", ">", "<=", ">=", "<>", "!="}

// level is the strength of the operator that comes next, 0 for none.
func (p *parser) level() int {
	t := p.peek()
	switch {
	case t.Is("or"):
		return orLevel
	case t.Is("and"):
		return andLevel
	case t.Is("is"):
		return isLevel
	case t.Class == Operator && slices.Contains(comparisons, t.Text):
		return compareLevel
	case t.Is("like"), t.Is("ilike"), t.Is("in"), t.Is("between"), t.Is("not"), t.Is("similar"):
		return likeLevel
	case t.Is("+"), t.Is("-"):
		return addLevel
	case t.Is("*"), t.Is("/"), t.Is("%"):
		return mulLevel
	case t.Is("^"), t.Is("at"):
		return powLevel
	case t.Class == Operator, t.Is("operator"), t.Is("overlaps"):
		return otherLevel
	}
	return 0
}

// binary reads operands joined by operators stronger than least.
func (p *parser) binary(least int) *Expr {
	if p.depth++; p.depth > maxDepth {
		p.failed = true
	}
	defer func() { p.depth-- }()
	from := p.i
	left := p.unary()
	for !p.failed {
		level := p.level()
		if level == 0 || level <= least {
			break
		}
		left = p.operation(left, level)
		left.Text = p.since(from)
	}
	return left
}

func (p *parser) operation(left *Expr, level int) *Expr {
	op := p.peek().Text
	p.i++
	switch op {
	case "or":
		return join(OrExpr, left, p.binary(level))
	case "and":
		return join(AndExpr, left, p.binary(level))
	case "is":
		return p.is(left)
	case "not", "like", "ilike", "in", "between", "similar":
		return p.like(left, op)
	case "at":
		p.accept("time", "zone")
		return &Expr{Op: Call, Name: "timezone", Args: []*Expr{left, p.binary(level)}}
	case "operator": // OPERATOR(schema.@@)
		op = p.qualified()
	}
	if p.peek().Is("any") || p.peek().Is("all") {
		all := p.peek().Is("all")
		p.i++
		return &Expr{Op: Quantor, Name: op, All: all, Args: []*Expr{left, p.group()}}
	}
	return &Expr{Op: Binary, Name: op, Args: []*Expr{left, p.binary(level)}}
}

func (p *parser) qualified() string {
	p.expect("(")
	op := ""
	for !p.failed && p.i < len(p.tokens) && !p.peek().Is(")") {
		if p.peek().Class == Operator {
			op = p.peek().Text
		}
		p.i++
	}
	p.expect(")")
	return op
}

func join(op Op, left, right *Expr) *Expr {
	e := &Expr{Op: op}
	for _, x := range []*Expr{left, right} {
		if x.Op == op {
			e.Args = append(e.Args, x.Args...)
		} else {
			e.Args = append(e.Args, x)
		}
	}
	return e
}

func (p *parser) is(left *Expr) *Expr {
	not := p.accept("not")
	name := "is "
	if not {
		name += "not "
	}
	for _, what := range []string{"null", "true", "false", "unknown"} {
		if p.accept(what) {
			return &Expr{Op: NullTest, Name: name + what, Args: []*Expr{left}}
		}
	}
	if p.accept("distinct", "from") {
		return &Expr{Op: Binary, Name: name + "distinct from", Args: []*Expr{left, p.binary(isLevel)}}
	}
	p.failed = true
	return left
}

// like reads what comes after [NOT] LIKE, IN, BETWEEN.
func (p *parser) like(left *Expr, op string) *Expr {
	not := op == "not"
	if not {
		op = p.peek().Text
		p.i++
	}
	var e *Expr
	switch op {
	case "like", "ilike":
		e = &Expr{Op: Binary, Name: map[string]string{"like": "~~", "ilike": "~~*"}[op], Args: []*Expr{left, p.binary(likeLevel)}}
	case "in":
		e = &Expr{Op: Quantor, Name: "=", Args: []*Expr{left, p.group()}}
	case "between":
		low := p.binary(likeLevel)
		p.expect("and")
		high := p.binary(likeLevel)
		e = &Expr{Op: AndExpr, Args: []*Expr{{Op: Binary, Name: ">=", Args: []*Expr{left, low}}, {Op: Binary, Name: "<=", Args: []*Expr{left, high}}}}
	default:
		p.failed = true
		return left
	}
	if not {
		return &Expr{Op: NotExpr, Args: []*Expr{e}}
	}
	return e
}

func (p *parser) unary() *Expr {
	from := p.i
	var e *Expr
	switch {
	case p.accept("not"):
		e = &Expr{Op: NotExpr, Args: []*Expr{p.binary(notLevel)}}
	case p.peek().Class == Operator:
		name := p.peek().Text
		p.i++
		arg := p.binary(mulLevel)
		e = &Expr{Op: Call, Name: name, Args: []*Expr{arg}}
		if arg.Op == Constant {
			e = &Expr{Op: Constant}
		}
	default:
		e = p.postfix(p.primary())
	}
	e.Text = p.since(from)
	return e
}
