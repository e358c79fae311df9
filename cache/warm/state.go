package warm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Documents in the Store, after Options.Name and a dot.
const (
	countsDoc = "counts"
	tuningDoc = "tuning"
	planDoc   = "plan" // of the run under way, or of one that was interrupted
	doneDoc   = "done" // of that plan
)

// planned is a run's plan as it is stored when it begins.
type planned struct {
	ID      string   `json:"id"`
	Request Request  `json:"request"`
	Keys    []string `json:"keys"`
	Named   int      `json:"named"`
}

// progressed is how far a plan has come: in each tier its first Done items are there, as long as the Epoch is the same.
type progressed struct {
	ID    string              `json:"id"`
	Saved time.Time           `json:"saved"`
	Tiers map[string]tierDone `json:"tiers"`
}

type tierDone struct {
	Epoch string `json:"epoch"`
	Done  int    `json:"done"`
}

const maxPlan = 1 << 20 // items of a plan that is believed

// decodeRun reads what is known of a run, and makes sure that it fits together.
func decodeRun(plan, done []byte) (p planned, d progressed, err error) {
	if err = errors.Join(json.Unmarshal(plan, &p), json.Unmarshal(done, &d)); err != nil {
		return p, d, fmt.Errorf("warm: interrupted run: %w", err)
	}
	if p.ID != d.ID || len(p.Keys) > maxPlan || p.Named < 0 || p.Named > len(p.Keys) {
		return p, d, fmt.Errorf("warm: interrupted run %q (done: %q) of %d keys, %d of them named", p.ID, d.ID, len(p.Keys), p.Named)
	}
	for name, t := range d.Tiers {
		if t.Done < 0 || t.Done > len(p.Keys) {
			return p, d, fmt.Errorf("warm: interrupted run: %s has done %d of %d", name, t.Done, len(p.Keys))
		}
	}
	return p, d, nil
}

// answers tells whether a plan is one for a request.
func (p planned) answers(r Request) bool {
	return len(p.Keys) > 0 && !r.Afresh && p.Request.Reason == r.Reason && p.Request.Top == r.Top && p.Request.Only == r.Only &&
		slices.Equal(p.Request.Keys, r.Keys) && slices.Equal(p.Request.Tiers, r.Tiers)
}

// storeTimeout bounds one access to the Store.
const storeTimeout = 2 * time.Second

// save stores a document; a failure is logged: warming goes on without.
func (w *Warmer) save(doc string, v any) {
	if w.o.Store == nil {
		return
	}
	var data []byte
	var err error
	switch v := v.(type) {
	case nil:
	case *Popularity:
		data, err = v.Encode()
	default:
		data, err = json.Marshal(v)
	}
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		defer cancel()
		err = w.o.Store.Save(ctx, w.o.Name+"."+doc, data)
	}
	if err != nil {
		w.o.Log.Warn("warming cannot store what it knows", "document", doc, "error", err)
	}
}

// load reads a document, nil when there is none or no store.
func (w *Warmer) load(ctx context.Context, doc string) ([]byte, error) {
	if w.o.Store == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return w.o.Store.Load(ctx, w.o.Name+"."+doc)
}
