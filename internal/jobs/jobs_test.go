package jobs

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/queue"
)

func tell(t *testing.T, js jetstream.JetStream, topic string, payload any) {
	t.Helper()
	data, err := json.Marshal(payload)
	must(t, err)
	_, err = js.Publish(t.Context(), "events."+topic, data)
	must(t, err)
}

func start(t *testing.T, d Deps) *Jobs {
	t.Helper()
	j, err := New(d)
	must(t, err)
	must(t, j.Start(t.Context()))
	t.Cleanup(j.Stop)
	return j
}

func TestEveryEventReachesItsJobThroughTheQueue(t *testing.T) {
	t.Parallel()
	js, w := natsJS(t), newWorld()
	w.orders["o1"] = order("o1")
	w.fails["commit o1"], w.fails["undo o2"], w.fails["purge p:8"] = 1, 1, 1 // each is tried again
	d := w.deps(t, js)
	j := start(t, d)
	must(t, j.Start(t.Context())) // once more does nothing
	tell(t, js, shop.TopicOrderConfirmed, shop.OrderEvent{OrderID: "o1", UserID: "u1", ProductIDs: []int64{1}})
	tell(t, js, shop.TopicOrderCancelled, shop.OrderEvent{OrderID: "o1", UserID: "u1"})
	tell(t, js, shop.TopicCheckoutFailed, shop.OrderEvent{OrderID: "o2", UserID: "u1"})
	tell(t, js, shop.TopicStockLevel, shop.StockLevel{ProductID: 7, Available: 3, LevelVersion: 2})
	tell(t, js, shop.TopicStockLevel, shop.StockLevel{ProductID: 6, Available: 0, LevelVersion: 1}) // changes nothing
	tell(t, js, shop.TopicStockLevel, shop.StockLevel{ProductID: 404, LevelVersion: 2})             // deleted product
	tell(t, js, shop.TopicProductChanged, shop.ProductChanged{ID: 8, Version: 2})
	for _, call := range []string{"commit o1", "undo cancelled o1", "undo o2", "7 is low_stock", "purge p:7", "6 is sold_out", "purge p:8", "purge lists"} {
		localtest.Eventually(t, call, func() bool { return w.count(call) > 0 })
	}
	for _, name := range []string{"o1.eml", "o1-cancelled.eml"} {
		localtest.Eventually(t, name, func() bool { _, err := os.Stat(filepath.Join(d.Mail.Dir, name)); return err == nil })
	}
	localtest.Eventually(t, "nothing is left", func() bool {
		s, err := queue.ReadStats(t.Context(), js)
		must(t, err)
		return len(s.Consumers) == 4 && !slices.ContainsFunc(s.Consumers, func(c queue.ConsumerStats) bool {
			return c.Pending > 0 || c.InFlight > 0 || c.Dead > 0
		})
	})
	if n := w.count("purge p:6"); n != 0 {
		t.Errorf("p:6 was purged %d times though nothing changed", n)
	}
	j.Stop()
	j.Stop()
}

func TestWhatNoRetryMendsIsDeadAtOnce(t *testing.T) {
	t.Parallel()
	js, w := natsJS(t), newWorld()
	start(t, w.deps(t, js))
	tell(t, js, shop.TopicOrderConfirmed, shop.OrderEvent{OrderID: "missing", UserID: "u"}) // the mail has no order
	tell(t, js, shop.TopicCheckoutFailed, "not an object")
	var dead []queue.DeadLetter
	localtest.Eventually(t, "two are dead", func() bool {
		var err error
		dead, err = queue.NewDeadLetters(js).List(t.Context(), queue.DeadFilter{})
		must(t, err)
		return len(dead) == 2
	})
	for _, d := range dead {
		if d.Deliveries != 1 || (d.Consumer != "mail" && d.Consumer != "undo") {
			t.Errorf("unexpected dead letter %+v", d)
		}
	}
}

func TestRegularJobsRunAndSurviveFailures(t *testing.T) {
	t.Parallel()
	js, w := natsJS(t), newWorld()
	w.stuck = []shop.Checkout{{OrderID: "a"}, {OrderID: "b"}}
	w.fails["recover a"], w.fails["sweep"], w.fails["purge old"] = 2, 2, 1
	d := w.deps(t, js)
	d.Periods = Periods{Recover: 5 * time.Millisecond, Reservations: 5 * time.Millisecond, Abandoned: 5 * time.Millisecond,
		CartIdle: 90 * time.Minute, Purge: 5 * time.Millisecond}
	start(t, d)
	for _, call := range []string{"recover a", "recover b", "sweep", "abandoned 1h30m0s", "purge old"} {
		localtest.Eventually(t, call, func() bool { return w.count(call) > 0 })
	}
	if n := w.count("recover b"); n != 1 {
		t.Errorf("b was settled %d times", n)
	}
}

func TestPurgesAreJoinedWhileOneIsUnderWay(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var rounds [][]string
	seen := map[string]bool{}
	gate := make(chan struct{})
	p := &purger{purge: func(_ context.Context, tags, positions []string) error {
		<-gate
		mu.Lock()
		defer mu.Unlock()
		rounds = append(rounds, tags)
		for _, at := range positions {
			seen[at] = true
		}
		return nil
	}}
	first := p.join("", []string{"p:0"})
	var later []*purgeBatch
	for _, tag := range []string{"p:2", "p:1", "p:2"} {
		later = append(later, p.join("at "+tag, []string{tag, "lists"}))
	}
	close(gate)
	for _, b := range append(later, first) {
		<-b.done
	}
	mu.Lock()
	defer mu.Unlock()
	total := map[string]int{}
	for _, r := range rounds {
		for _, tag := range r {
			total[tag]++
		}
	}
	if len(rounds) > 3 || total["p:0"] != 1 || total["p:2"] == 0 || total["lists"] == 0 || total["lists"] > 2 {
		t.Errorf("purged in rounds %v", rounds)
	}
	if len(seen) != 3 || !seen[""] || !seen["at p:1"] || !seen["at p:2"] {
		t.Errorf("must see %v", seen)
	}
}

func TestChangeIsPurgedWithItsPosition(t *testing.T) {
	t.Parallel()
	w := newWorld()
	j := &Jobs{d: w.deps(t, nil), purge: &purger{purge: w.purgeTags}}
	must(t, j.catalogue(t.Context(), queue.Message{Topic: shop.TopicProductChanged, Position: "0/16B3748", Data: []byte(`{"id":7,"version":2}`)}))
	for _, call := range []string{"must see 0/16B3748", "purge p:7", "purge lists"} {
		if w.count(call) != 1 {
			t.Errorf("%q did not happen", call)
		}
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := New(Deps{})
	for _, name := range []string{"JetStream", "Checkouts", "Carts", "Purge"} {
		if err == nil || !strings.Contains(err.Error(), "Deps."+name+" is missing") {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	d := newWorld().deps(t, natsJS(t))
	d.Mail.From = "nobody"
	if _, err := New(d); err == nil {
		t.Error("a sender without an address was taken")
	}
	d.Mail = MailOptions{SMTPAddr: "localhost"}
	if _, err := New(d); err == nil {
		t.Error("a mail server without a port was taken")
	}
	d.Mail = MailOptions{}
	if j, err := New(d); err != nil || j.mails != nil {
		t.Errorf("without a way for mail to leave: %v", err)
	}
}
