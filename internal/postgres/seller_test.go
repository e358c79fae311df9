package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

// sellerEnv makes the test binary a seller instead of running tests: a process that sells until it is killed.
const sellerEnv = "STAMPEDE_TEST_SELLER"

// orders to a seller, on its standard input; when that ends the seller does.
type sellerOrders struct {
	Shards   map[string]string
	Batched  bool
	Later    bool // CommitLater
	Products []shop.Product
	Point    string // die here; "" waits to be killed
	Nth      int64  // not before the point was passed so often
}

const (
	sellersShoppers = 8
	atLeastInFlight = 3 // when it dies
	sellerLives     = 60 * time.Second
)

// seller is that process. What its shoppers do and hear is on its standard output, a line each.
type seller struct {
	sellerOrders
	v      visit
	mu     sync.Mutex
	flight atomic.Int64
	passed atomic.Int64
}

// sell never returns.
func sell() {
	in := json.NewDecoder(os.Stdin)
	s := &seller{}
	if err := in.Decode(&s.sellerOrders); err != nil {
		giveUp(err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		giveUp(fmt.Errorf("nobody is left to sell for"))
	}()
	time.AfterFunc(sellerLives, func() { giveUp(fmt.Errorf("came to %q %d times only", s.Point, s.passed.Load())) })
	w, err := openWorld(s.Shards, 3)
	if err != nil {
		giveUp(err)
	}
	for _, p := range s.Products {
		w.products.put(p)
	}
	s.v = visit{w: w, later: s.Later, crash: s.crash, write: s.write}
	if s.Batched {
		b := postgres.NewBatched(w.Shards, postgres.BatchedOptions{Crash: s.crash})
		w.stores, w.pay = b, postgres.NewBatchedTestPay(b, postgres.TestPayOptions{Wait: -1})
	}
	for range sellersShoppers {
		go func() {
			for {
				s.flight.Add(1)
				if err := s.v.run(context.Background(), newID(), s.Products); err != nil {
					giveUp(err)
				}
				s.flight.Add(-1)
			}
		}()
	}
	for s.Point == "settled" { // a worker in too much of a hurry
		if err := s.v.recover(context.Background()); err != nil {
			giveUp(err)
		}
	}
	select {}
}

func giveUp(err error) {
	fmt.Fprintln(os.Stderr, "seller:", err)
	os.Exit(3)
}

// write hands a line to the kernel in one piece, from where it is read whatever becomes of us.
func (s *seller) write(n note) {
	line, err := json.Marshal(n)
	if err != nil {
		giveUp(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Stdout.Write(append(line, '\n')); err != nil {
		giveUp(err)
	}
}

// crash kills the process at its point, once enough others are in the middle of something.
func (s *seller) crash(point string) {
	if point != s.Point || s.passed.Add(1) < s.Nth || s.flight.Load() < atLeastInFlight {
		return
	}
	s.write(note{Kind: "dies", Answer: point, Flight: s.flight.Load()})
	self, _ := os.FindProcess(os.Getpid()) // never fails on Unix
	_ = self.Kill()
	select {} // nothing may run between the signal and death
}
