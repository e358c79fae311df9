package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/internal/app"
)

// progress shows how far a load of products is: a bar that stays on one line on a terminal, otherwise a plain line now and
// then. Notes stand above the bar. It may be used by several goroutines.
type progress struct {
	mu    sync.Mutex
	w     io.Writer
	bar   bool
	drawn bool
	plain func(app.Step)
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, bar: isTerminal(w)}
	p.plain = app.EachSecond(func(s app.Step) { p.print("%s\n", stepText(s)) })
	return p
}

// isTerminal is false for files, pipes and terminals that cannot move the cursor.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

const eraseLine = "\r\x1b[K"

func (p *progress) print(format string, args ...any) { _, _ = fmt.Fprintf(p.w, format, args...) }

func (p *progress) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.print(format+"\n", args...)
}

func (p *progress) step(s app.Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.bar {
		p.plain(s)
		return
	}
	p.draw(barOf(s.Share) + stepText(s))
}

// line is what stands in the place of the bar, on a terminal.
func (p *progress) line(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draw(text)
}

func (p *progress) draw(text string) {
	p.erase()
	p.print("%s", text)
	p.drawn = true
}

// end removes the bar: the result says the rest.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

func (p *progress) erase() {
	if p.drawn {
		p.print(eraseLine)
		p.drawn = false
	}
}

const barWidth = 24

// barOf is "[######------] ", nothing when how much there is to do is not known.
func barOf(share float64) string {
	if share < 0 {
		return ""
	}
	full := int(min(share, 1) * barWidth)
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", barWidth-full) + "] "
}

// stepText has at most about fifty characters, so that bar and text fit a line of eighty.
func stepText(s app.Step) string {
	text := fmt.Sprintf("%d products", s.Products)
	if sec := s.Elapsed.Seconds(); sec > 0 {
		text += fmt.Sprintf(", %.0f/s", float64(s.Products)/sec)
	}
	if s.Share > 0 {
		text = fmt.Sprintf("%3.0f %%  %s", 100*s.Share, text)
		if s.Share < 1 {
			left := time.Duration(float64(s.Elapsed) * (1 - s.Share) / s.Share)
			text += fmt.Sprintf(", %v to go", left.Round(time.Second))
		}
	}
	return text
}
