package warm

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Documents in the Store, after Options.Name and a dot.
const (
	countsDoc = "counts"
	tuningDoc = "tuning"
	runDoc    = "run"
)

// progressed is how far a tier has come with a plan: its first Done items are there, as long as its Epoch is the same.
type progressed struct {
	Epoch string `json:"epoch"`
	Done  int    `json:"done"`
}

// interrupted is a run as it is stored while it goes on.
type interrupted struct {
	Request Request               `json:"request"`
	Keys    []string              `json:"keys"`
	Named   int                   `json:"named"`
	Saved   time.Time             `json:"saved"`
	Tiers   map[string]progressed `json:"tiers"`
}

const maxPlan = 1 << 20 // items of a plan that is believed

func decodeRun(data []byte) (i interrupted, err error) {
	if err = json.Unmarshal(data, &i); err != nil {
		return i, fmt.Errorf("warm: interrupted run: %w", err)
	}
	if len(i.Keys) > maxPlan || i.Named < 0 || i.Named > len(i.Keys) {
		return i, fmt.Errorf("warm: interrupted run: %d keys, %d of them named", len(i.Keys), i.Named)
	}
	for name, t := range i.Tiers {
		if t.Done < 0 || t.Done > len(i.Keys) {
			return i, fmt.Errorf("warm: interrupted run: %s has done %d of %d", name, t.Done, len(i.Keys))
		}
	}
	return i, nil
}

// continues tells whether a request asks for what was interrupted.
func (i interrupted) continues(r Request, within time.Duration) bool {
	return len(i.Keys) > 0 && !r.Afresh && time.Since(i.Saved) <= within &&
		i.Request.Reason == r.Reason && i.Request.Top == r.Top && i.Request.Only == r.Only &&
		slices.Equal(i.Request.Keys, r.Keys) && slices.Equal(i.Request.Tiers, r.Tiers)
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
