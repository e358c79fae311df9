package replica_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/replica"
)

// setupLine is setup with a pool of two connections to the replica, opened by a Line.
func setupLine(t *testing.T, o replica.Options) *fixture {
	t.Helper()
	return setupWith(t, o, func(l *link, dsn string) replica.Replica {
		line, cfg := &replica.Line{}, l.config(t, dsn)
		cfg.MaxConns = 2
		return replica.Replica{Pool: opened(t, cfg, line.Open), Line: line}
	})
}

// Reads that hang, and those that wait for a connection behind them, have nothing but their caller's context. Whatever the function
// makes of a broken connection, they are repeated.
func TestLineEndsReadsOfAHangingReplica(t *testing.T) {
	t.Parallel()
	f := setupLine(t, replica.Options{CheckTimeout: 300 * time.Millisecond})
	f.link.freeze()
	nodes := make(chan string, 10)
	for range cap(nodes) {
		go func() {
			var last string
			err := f.set.View(t.Context(), func(ctx context.Context, db replica.Reader) error {
				last = db.Node()
				if err := db.QueryRow(ctx, "SELECT v FROM n").Scan(new(int)); err != nil {
					return errors.New("no luck")
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			nodes <- last
		}()
	}
	for range cap(nodes) {
		if node := <-nodes; node != replica.PrimaryName {
			t.Errorf("read from %s, which hangs", node)
		}
	}
	if node, _ := f.read(); node != replica.PrimaryName {
		t.Errorf("read from %s, which hangs", node)
	}
	f.link.thaw()
	f.eventually("the replica is back", func() bool { node, _ := f.read(); return node == "one" })
}

func TestLineOfAServerThatComesAndGoes(t *testing.T) {
	t.Parallel()
	f := setupLine(t, replica.Options{})
	for range 2 {
		f.Replica.Kill()
		f.eventually("reads go to the primary", func() bool { node, _ := f.read(); return node == replica.PrimaryName })
		f.Replica.Restart(t)
		f.eventually("the replica is back", func() bool { node, _ := f.read(); return node == "one" })
	}
}

// With the primary gone, a replica that hung answers as soon as it can.
func TestLineIsMendedWhileThePrimaryIsGone(t *testing.T) {
	t.Parallel()
	f := setupLine(t, replica.Options{CheckTimeout: 300 * time.Millisecond})
	f.link.freeze()
	if node, _ := f.read(); node != replica.PrimaryName {
		t.Errorf("read from %s, which hangs", node)
	}
	f.Primary.Kill()
	f.link.thaw()
	f.eventually("the replica answers", func() bool { node, v, err := f.tryRead(); return err == nil && node == "one" && v == 0 })
}
