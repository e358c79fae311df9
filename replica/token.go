package replica

import (
	"cmp"
	"context"
	"sync/atomic"
)

// Token is what a session must see: for each database that it wrote to, the position of its last commit there. The zero value asks
// for nothing. It is a value: methods return new ones.
type Token struct {
	at  []position // ascending by database, never changed
	all bool       // it would have become too large: everything is to be seen, on the primary
}

// position is how far a database's log is to be seen. A session writes to a few: a list is searched faster than a map.
type position struct {
	database string
	lsn      LSN
}

// Empty tells whether the token asks for nothing.
func (t Token) Empty() bool { return len(t.at) == 0 && !t.all }

// LSN is what reads of a database must see; 0 for one that the session did not write to.
func (t Token) LSN(database string) LSN {
	if t.all {
		return MaxLSN
	}
	for _, p := range t.at {
		if p.database == database {
			return p.lsn
		}
	}
	return 0
}

// Merge asks for what both ask for.
func (t Token) Merge(o Token) Token {
	switch {
	case o.Empty():
		return t
	case t.Empty():
		return o
	}
	sum := Token{at: make([]position, 0, len(t.at)+len(o.at)), all: t.all || o.all}
	a, b := t.at, o.at
	for len(a) > 0 && len(b) > 0 {
		switch cmp.Compare(a[0].database, b[0].database) {
		case -1:
			sum.at, a = append(sum.at, a[0]), a[1:]
		case 1:
			sum.at, b = append(sum.at, b[0]), b[1:]
		default:
			sum.at = append(sum.at, position{a[0].database, max(a[0].lsn, b[0].lsn)})
			a, b = a[1:], b[1:]
		}
	}
	sum.at = append(append(sum.at, a...), b...)
	return sum
}

// With also asks for l of a database.
func (t Token) With(database string, l LSN) Token {
	return t.Merge(Token{at: []position{{database, l}}})
}

type sessionKey struct{}

// session is what a context says about what its reads must see; one, so that they look for it once.
type session struct {
	token     Token
	collector *Collector
}

// sessionFrom is the session of ctx; nil without one.
func sessionFrom(ctx context.Context) *session {
	s, _ := ctx.Value(sessionKey{}).(*session)
	return s
}

// withSession is ctx with a changed copy of its session.
func withSession(ctx context.Context, change func(*session)) context.Context {
	var s session
	if old := sessionFrom(ctx); old != nil {
		s = *old
	}
	change(&s)
	return context.WithValue(ctx, sessionKey{}, &s)
}

// lsn is what reads of a database must see.
func (s *session) lsn(database string) LSN {
	if s == nil {
		return 0
	}
	return max(s.token.LSN(database), s.collector.Token().LSN(database))
}

// WithToken makes the reads of ctx see what t asks for.
func WithToken(ctx context.Context, t Token) context.Context {
	if t.Empty() {
		return ctx
	}
	return withSession(ctx, func(s *session) { s.token = t })
}

// TokenFrom is the token of ctx; empty without one.
func TokenFrom(ctx context.Context) Token {
	if s := sessionFrom(ctx); s != nil {
		return s.token
	}
	return Token{}
}

// Collector gathers the positions of one request's commits, for the session's next token. Reads of the same request see them too.
// It is safe for concurrent use.
type Collector struct {
	t atomic.Pointer[Token] // nil: nothing yet
}

// WithCollector puts a new Collector into the context.
func WithCollector(ctx context.Context) (context.Context, *Collector) {
	c := &Collector{}
	return withSession(ctx, func(s *session) { s.collector = c }), c
}

// CollectorFrom is the Collector of ctx; nil without one.
func CollectorFrom(ctx context.Context) *Collector {
	if s := sessionFrom(ctx); s != nil {
		return s.collector
	}
	return nil
}

// Record notes a commit; a nil Collector ignores it.
func (c *Collector) Record(database string, l LSN) {
	if c == nil {
		return
	}
	for {
		old := c.t.Load()
		var t Token
		if old != nil {
			t = *old
		}
		t = t.With(database, l)
		if c.t.CompareAndSwap(old, &t) {
			return
		}
	}
}

// Token is what has been recorded so far; of a nil Collector, nothing.
func (c *Collector) Token() Token {
	if c == nil {
		return Token{}
	}
	if t := c.t.Load(); t != nil {
		return *t
	}
	return Token{}
}
