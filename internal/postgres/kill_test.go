package postgres_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

// A process that sells is killed by SIGKILL between two steps of a checkout, with others in all stages around it; this process takes
// over: shoppers who were not answered ask here, while a worker recovers. In the end every order that was acknowledged is there, once,
// and stock, money and books agree. So for every named point, and for moments that have no name.
func TestKilledBetweenAnyTwoSteps(t *testing.T) { bothWays(t, checkKilledBetweenAnyTwoSteps) }

func checkKilledBetweenAnyTwoSteps(t *testing.T, w *world) {
	_, batched := w.stores.(*postgres.Batched)
	points := append([]string{""}, shop.CrashPoints...)
	if batched {
		points = append(points, postgres.BatchCrashPoints...)
	}
	localtest.Rounds(t, 1, func(int) {
		for _, point := range points {
			w.killedAt(t, point, batched)
		}
	})
}

func (w *world) killedAt(t *testing.T, point string, batched bool) {
	t.Helper()
	o := sellerOrders{Batched: batched, Later: point != "committed" && rand.N(2) == 0, Point: point, Nth: 1 + rand.Int64N(8), Shards: map[string]string{}}
	stock := int64(80)
	switch point {
	case "refused", "batch-ration": // soon there is too little
		stock = 10
	case "cancelled": // rare
		o.Nth = 1
	case "batch-cart": // the first ones are before anybody buys
		o.Nth += 20
	}
	for id, dsn := range w.dsns {
		o.Shards[id] = dsn + "&application_name=" + sellerName
	}
	for range 4 {
		o.Products = append(o.Products, w.product(t, stock))
	}
	d := newDiary()
	w.watchSellerDie(t, o, d)
	w.takeOver(t, d)
	localtest.Eventually(t, "the seller's transactions are over", func() bool { return w.sessionsOf(t, sellerName) == 0 })
	w.settle(t)
	w.reconcile(t, d, o.Products, stock)
	t.Logf("%q: %d shoppers, %d answers, died with %d in flight", point, len(d.visitors), d.told, d.deaths[0].Flight)
}

const sellerName = "seller"

// watchSellerDie runs a seller to its end and writes down what it said.
func (w *world) watchSellerDie(t *testing.T, o sellerOrders, d *diary) {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), sellerEnv+"=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	check(t, json.NewEncoder(in).Encode(o))
	lines, patience := bufio.NewScanner(out), 50+rand.N(150)
	for lines.Scan() {
		var n note
		if json.Unmarshal(lines.Bytes(), &n) != nil {
			break // cut off in the middle
		}
		d.write(n)
		if patience--; o.Point == "" && patience == 0 {
			d.write(note{Kind: "dies"})
			check(t, cmd.Process.Kill())
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL || len(d.deaths) == 0 {
		t.Fatalf("the seller was to die at %q and ended with %v: %s", o.Point, err, stderr.String())
	}
}

// takeOver has those who were not answered ask here, and a worker at everything, both while the last transactions of the dead may still
// be under way.
func (w *world) takeOver(t *testing.T, d *diary) {
	t.Helper()
	var wg sync.WaitGroup
	for _, v := range d.all() {
		if !v.asked || v.answered || rand.N(3) == 0 { // some never come back
			continue
		}
		wg.Go(func() {
			err := visit{w: w, write: d.write}.ask(t.Context(), v.user, v.outcome)
			if code := shop.CodeOf(err); !slices.Contains([]shop.Code{"", shop.CodeUnavailable}, code) {
				t.Errorf("asked again: %v", err)
			}
		})
	}
	w.expire(t)
	w.recover(t, w.saga(nil))
	wg.Wait()
}

// sessionsOf counts the connections of a process by its name.
func (w *world) sessionsOf(t testing.TB, name string) (n int64) {
	t.Helper()
	for _, node := range w.cluster.Nodes() {
		var some int64
		check(t, node.Pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()`, name).Scan(&some))
		n += some
	}
	return n
}
