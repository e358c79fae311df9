package replica

import (
	"context"
	"maps"
	"sync"
)

// Token is what a session must see: for each database that it wrote to, the position of its last commit there. The zero value asks
// for nothing. It is a value: methods return new ones.
type Token struct {
	at  map[string]LSN
	all bool // it would have become too large: everything is to be seen, on the primary
}

// Empty tells whether the token asks for nothing.
func (t Token) Empty() bool { return len(t.at) == 0 && !t.all }

// LSN is what reads of a database must see; 0 for one that the session did not write to.
func (t Token) LSN(database string) LSN {
	if t.all {
		return MaxLSN
	}
	return t.at[database]
}

// Merge asks for what both ask for.
func (t Token) Merge(o Token) Token {
	switch {
	case o.Empty():
		return t
	case t.Empty():
		return o
	}
	sum := Token{at: maps.Clone(t.at), all: t.all || o.all}
	if sum.at == nil {
		sum.at = map[string]LSN{}
	}
	for db, l := range o.at {
		sum.at[db] = max(sum.at[db], l)
	}
	return sum
}

// With also asks for l of a database.
func (t Token) With(database string, l LSN) Token {
	return t.Merge(Token{at: map[string]LSN{database: l}})
}

type (
	tokenKey     struct{}
	collectorKey struct{}
)

// WithToken makes the reads of ctx see what t asks for.
func WithToken(ctx context.Context, t Token) context.Context {
	if t.Empty() {
		return ctx
	}
	return context.WithValue(ctx, tokenKey{}, t)
}

// TokenFrom is the token of ctx; empty without one.
func TokenFrom(ctx context.Context) Token {
	t, _ := ctx.Value(tokenKey{}).(Token)
	return t
}

// Collector gathers the positions of one request's commits, for the session's next token. Reads of the same request see them too.
// It is safe for concurrent use.
type Collector struct {
	mu sync.RWMutex
	t  Token
}

// WithCollector puts a new Collector into the context.
func WithCollector(ctx context.Context) (context.Context, *Collector) {
	c := &Collector{}
	return context.WithValue(ctx, collectorKey{}, c), c
}

// CollectorFrom is the Collector of ctx; nil without one.
func CollectorFrom(ctx context.Context) *Collector {
	c, _ := ctx.Value(collectorKey{}).(*Collector)
	return c
}

// Record notes a commit; a nil Collector ignores it.
func (c *Collector) Record(database string, l LSN) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.With(database, l)
}

// Token is what has been recorded so far.
func (c *Collector) Token() Token {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.t
}

func (c *Collector) lsn(database string) LSN {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.t.LSN(database)
}
