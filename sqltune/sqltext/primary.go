package sqltext

import "strings"

// postfix reads casts, subscripts, collations and fields after an operand.
func (p *parser) postfix(e *Expr) *Expr {
	for !p.failed {
		switch {
		case p.accept("::"):
			e = &Expr{Op: Cast, Name: p.typeName(), Args: []*Expr{e}}
		case p.accept("collate"):
			p.name()
		case p.accept("["):
			index := p.binary(0)
			if p.accept(":") {
				p.binary(0)
			}
			p.expect("]")
			e = &Expr{Op: Call, Name: "[]", Args: []*Expr{e, index}}
		case p.accept("."):
			field := p.name()
			e = &Expr{Op: Call, Name: "." + field, Args: []*Expr{e}}
			if e.Args[0].Op == ParamRef { // (InitPlan 1).col1
				e = e.Args[0]
			}
		default:
			return p.folded(e)
		}
	}
	return e
}

// folded makes a constant of a cast constant: '1'::text.
func (p *parser) folded(e *Expr) *Expr {
	if e.Op == Cast && (e.Args[0].Op == Constant || e.Args[0].Op == ParamRef) {
		return &Expr{Op: e.Args[0].Op, Name: e.Args[0].Name, Args: nil}
	}
	return e
}

// types of more than one word go on with one of these.
var typeWords = map[string]bool{"varying": true, "precision": true, "with": true, "without": true, "time": true, "zone": true,
	"year": true, "month": true, "day": true, "hour": true, "minute": true, "second": true, "to": true}

// typeName reads a type: character varying(10), timestamp with time zone, pg_catalog.int4[].
func (p *parser) typeName() string {
	name := p.name()
	for p.accept(".") {
		name = p.name()
	}
	for p.i < len(p.tokens) {
		t := p.peek()
		switch {
		case t.Class == Word && typeWords[t.Text]:
			name += " " + t.Text
			p.i++
		case t.Is("("):
			p.group()
		case t.Is("[") && p.i+1 < len(p.tokens) && p.tokens[p.i+1].Is("]"):
			name += "[]"
			p.i += 2
		default:
			return name
		}
	}
	return name
}

func (p *parser) name() string {
	t := p.peek()
	if t.Class != Word && t.Class != Quoted || p.i >= len(p.tokens) {
		p.failed = true
		return ""
	}
	p.i++
	return t.Text
}

func (p *parser) primary() *Expr {
	if p.i >= len(p.tokens) {
		p.failed = true
		return &Expr{}
	}
	t := p.peek()
	switch {
	case t.Class == String, t.Class == Number:
		p.i++
		return &Expr{Op: Constant}
	case t.Class == Param:
		p.i++
		return &Expr{Op: ParamRef, Name: t.Text}
	case t.Is("("):
		return p.group()
	case t.Class == Quoted:
		return p.named()
	case t.Class != Word:
		p.failed = true
		return &Expr{}
	}
	switch t.Text {
	case "true", "false", "null", "current_date", "current_timestamp", "localtimestamp", "current_user", "session_user":
		p.i++
		return &Expr{Op: Constant}
	case "case":
		return p.choice()
	case "array", "row":
		p.i++
		return &Expr{Op: Call, Name: t.Text, Args: p.list()}
	case "any", "all", "hashed", "subplan", "initplan", "alternatives", "exists":
		return p.subplan()
	}
	return p.named()
}

// group reads ( … ): an expression, a list, or a subplan.
func (p *parser) group() *Expr {
	args := p.list()
	if len(args) == 1 {
		return args[0]
	}
	return &Expr{Op: Call, Name: "row", Args: args}
}

func (p *parser) list() (args []*Expr) {
	closing := ")"
	if p.accept("[") {
		closing = "]"
	} else {
		p.expect("(")
	}
	if p.accept(closing) {
		return nil
	}
	for !p.failed {
		args = append(args, p.binary(0))
		if p.accept(closing) {
			return args
		}
		p.expect(",")
	}
	return args
}

// subplan reads "SubPlan 1", "hashed SubPlan 2", "InitPlan 1", and older "alternatives: SubPlan 1 or hashed SubPlan 2".
func (p *parser) subplan() *Expr {
	e := &Expr{Op: Subplan}
	if p.peek().Is("initplan") {
		e.Op = ParamRef
	}
	for depth := 0; p.i < len(p.tokens); p.i++ {
		t := p.peek()
		if t.Is("(") {
			depth++
		}
		if t.Is(")") {
			if depth == 0 {
				break
			}
			depth--
		}
	}
	return e
}

// choice reads CASE … END as a call of what is in it.
func (p *parser) choice() *Expr {
	p.i++
	e := &Expr{Op: Call, Name: "case"}
	for !p.failed && !p.accept("end") {
		for _, word := range []string{"when", "then", "else"} {
			p.accept(word)
		}
		e.Args = append(e.Args, p.binary(0))
	}
	return e
}

// named reads a column, or a call of a function.
func (p *parser) named() *Expr {
	var path []string
	quoted := false
	for {
		quoted = p.peek().Class == Quoted
		path = append(path, p.name())
		if p.failed || !p.accept(".") {
			break
		}
		if p.accept("*") {
			break
		}
	}
	last := path[len(path)-1]
	if p.peek().Is("(") && p.i < len(p.tokens) {
		return p.call(last)
	}
	if t := p.peek(); t.Class == String && !quoted && p.i < len(p.tokens) { // a typed literal: date '2024-01-01'
		p.i++
		return &Expr{Op: Constant}
	}
	e := &Expr{Op: ColumnRef, Name: last}
	if len(path) > 1 {
		e.Table = path[len(path)-2]
	}
	return e
}

func (p *parser) call(name string) *Expr {
	start := p.i
	args := p.list()
	if p.failed { // EXTRACT(year FROM x), "TRIM"(BOTH FROM x), count(*) …: what is in it is unknown, but it is a call
		p.failed, p.i = false, start
		args = p.within()
	}
	return &Expr{Op: Call, Name: strings.ToLower(name), Args: args}
}

// within finds columns between parentheses of a form that is not understood.
func (p *parser) within() (args []*Expr) {
	for depth := 0; p.i < len(p.tokens); {
		t := p.peek()
		p.i++
		switch {
		case t.Is("("):
			depth++
		case t.Is(")"):
			if depth--; depth == 0 {
				return args
			}
		case (t.Class == Word && !noColumn[t.Text] || t.Class == Quoted) && !p.peek().Is("(") && !p.peek().Is("."):
			if p.i >= 2 && p.tokens[p.i-2].Class != String {
				args = append(args, &Expr{Op: ColumnRef, Name: t.Text, Text: t.Text})
			}
		}
	}
	p.failed = true
	return args
}

var noColumn = map[string]bool{"from": true, "year": true, "month": true, "day": true, "hour": true, "minute": true, "second": true,
	"epoch": true, "dow": true, "week": true, "both": true, "leading": true, "trailing": true, "for": true, "as": true, "and": true,
	"or": true, "not": true, "quarter": true, "isodow": true, "doy": true}
