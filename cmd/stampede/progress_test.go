package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/app"
)

// On a terminal there is one line, rewritten; notes stand above it and nothing of it is left at the end.
func TestProgressBar(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProgress(&out)
	p.bar = true
	p.step(app.Step{Products: 5000, Share: 0.25, Elapsed: 2 * time.Second})
	p.note("line %d: price: is missing", 7)
	p.step(app.Step{Products: 20000, Share: 1, Elapsed: 4 * time.Second})
	p.end()
	want := "[######------------------]  25 %  5000 products, 2500/s, 6s to go" + eraseLine +
		"line 7: price: is missing\n" +
		"[########################] 100 %  20000 products, 5000/s" + eraseLine
	if out.String() != want {
		t.Errorf("%q, want\n%q", out.String(), want)
	}
}

// Anything else gets plain lines, not more than one a second.
func TestProgressPlain(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProgress(&out)
	for range 1000 {
		p.step(app.Step{Products: 1, Share: -1})
	}
	p.note("a note")
	p.end()
	if out.String() != "a note\n" {
		t.Errorf("%q", out.String())
	}
	p.plain = func(s app.Step) { p.print("%s\n", stepText(s)) }
	p.step(app.Step{Products: 10, Share: -1, Elapsed: time.Second})
	if want := "a note\n10 products, 10/s\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
