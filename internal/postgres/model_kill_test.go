package postgres_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// A process that sells is killed by SIGKILL at every named point of the saga, one that recovers at every point that it passes, and
// others at any moment: nothing acknowledged is lost, asking again tells each shopper one outcome, and the books are clean.
func TestKilledAtEveryPoint(t *testing.T) {
	t.Parallel()
	for _, batched := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "batched"}[batched], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			rounds(t, 1, func(round int) {
				passes := rand.Int64N(1 + int64(min(round, 3)))
				for _, point := range shop.CrashPoints {
					w.killed(t, doomed{Batched: batched, Point: point, Passes: passes})
				}
				for _, point := range []string{"confirmed", "committed", "failed", "compensated"} {
					w.killed(t, doomed{Batched: batched, Point: point, Worker: true})
				}
				for range 2 {
					w.killed(t, doomed{Batched: batched})
				}
				check(t, w.clear(t.Context()))
			})
		})
	}
}

// killed has a process do its work until it dies, and then looks at what it left.
func (w *world) killed(t *testing.T, d doomed) {
	t.Helper()
	d.Shards = map[string]string{}
	for _, n := range w.cluster.Nodes() {
		d.Shards[n.ID] = n.Pool.Config().ConnString()
	}
	scarce, plenty := w.product(t, 5), w.product(t, 1000)
	d.Products, d.Outcomes = []shop.Product{scarce, plenty}, []string{"approve", "approve", "decline", "late", "timeout"}
	for range 10 {
		d.Users = append(d.Users, w.fill(t, scarce, plenty))
	}
	if d.Worker { // somebody else died before
		for i, user := range d.Users {
			w.dyingAt(t, []string{"reserved", "charged"}[i%2], paying(user, d.Outcomes[i%3]))
		}
		w.expire(t)
	}
	confirmed := d.die(t)
	for order, user := range confirmed {
		if o, err := w.Order(t.Context(), user, order); err != nil || o.Status != shop.OrderConfirmed && o.Status != shop.OrderCancelled {
			t.Fatalf("%+v: order %s was acknowledged, and is %s, %v", d, order, o.Status, err)
		}
	}
	w.askAgain(t, d.Users, confirmed)
	w.outlive(t)
	w.settle(t)
	w.clean(t)
}

// outlive waits until the database has done what the dead process had sent: a worker comes long after that.
func (w *world) outlive(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, n := range w.cluster.Nodes() {
		for left := int64(1); left > 0; <-tick.C {
			check(t, n.Pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()`,
				doomedEnv).Scan(&left))
		}
	}
}

// askAgain lets half of the shoppers ask again, as a browser does that got no answer, before the worker comes, and the others after it.
func (w *world) askAgain(t *testing.T, users []string, confirmed map[string]string) {
	t.Helper()
	s := w.saga(nil)
	was := map[string]string{}
	for order, user := range confirmed {
		was[user] = order
	}
	for i, user := range users {
		if i == len(users)/2 {
			w.settle(t)
		}
		r, err := s.Run(t.Context(), keyed(user, "key", "h"))
		switch code := shop.CodeOf(err); code {
		case "", shop.CodeOutOfStock, shop.CodePaymentDeclined, shop.CodeUnavailable:
		case shop.CodeEmptyCart: // bought without the key, by the worker's case
		default:
			t.Fatalf("asked again: %+v, %v", r, err)
		}
		if was[user] != "" && r.Order.ID != was[user] {
			t.Fatalf("order %s was acknowledged; asked again under the same key, the answer is %s, %v", was[user], r.Order.ID, err)
		}
		page, err := w.Orders(t.Context(), user, 10, "")
		if err != nil || len(page.Orders) > 1 {
			t.Fatalf("one cart, %d orders, %v", len(page.Orders), err)
		}
	}
}

// die runs the process until it is dead, and returns the orders that it acknowledged, with their buyers.
func (d doomed) die(t *testing.T) map[string]string {
	t.Helper()
	raw, err := json.Marshal(d)
	check(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), doomedEnv+"="+string(raw))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	confirmed := d.listen(out, func() {
		time.Sleep(rand.N(80 * time.Millisecond)) // the moment of the fault, not a wait for something
		_ = cmd.Process.Kill()
	})
	var exit *exec.ExitError
	if err = cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL || ctx.Err() != nil {
		t.Fatalf("to die at %q, worker: %t: %v, %s", d.Point, d.Worker, err, stderr.String())
	}
	return confirmed
}

// listen reads what the process says until it is dead; one without a point is killed at some time after it is ready.
func (d doomed) listen(out io.Reader, kill func()) map[string]string {
	confirmed := map[string]string{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch what := strings.Fields(lines.Text()); {
		case what[0] == "ready" && d.Point == "":
			go kill() // ends within a moment
		case what[0] == "confirmed" && len(what) == 3:
			confirmed[what[1]] = what[2]
		}
	}
	return confirmed
}
