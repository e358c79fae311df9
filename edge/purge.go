package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Bus carries purges between edges. It may or may not deliver to its own process. One that also has a method Live() bool is
// asked before each use of what is kept: while it says false, purges may pass this edge by, and nothing is used before an
// origin has confirmed it. Call [Edge.Recheck] when some may have been missed.
type Bus interface {
	// Broadcast returns nil when every live member has acknowledged: its subscriber has returned.
	Broadcast(ctx context.Context, data []byte) error
	Subscribe(fn func(data []byte)) (cancel func(), err error)
}

// Purge names what is to go.
type Purge struct {
	Tags []string `json:"tags,omitempty"` // surrogate keys
	URLs []string `json:"urls,omitempty"` // https://host/path?query, or /path?query on every host
	All  bool     `json:"all,omitempty"`
	Soft bool     `json:"soft,omitempty"` // make it stale only
}

// ErrNothing says that a purge names nothing.
var ErrNothing = errors.New("edge: a purge that names nothing")

// purgeMessage is what edges send each other; others on the same bus send something else.
type purgeMessage struct {
	Purge *Purge `json:"edge_purge"`
}

func (e *Edge) joinBus() error {
	if e.opts.Bus == nil || e.cache == nil {
		return nil
	}
	cancel, err := e.opts.Bus.Subscribe(func(data []byte) {
		var m purgeMessage
		if json.Unmarshal(data, &m) == nil && m.Purge != nil {
			e.PurgeHere(*m.Purge)
		}
	})
	e.unsubscribe = cancel
	return err
}

// PurgeHere removes p from this edge alone. It takes microseconds: neither what was kept nor what is being fetched is
// served afterwards.
func (e *Edge) PurgeHere(p Purge) {
	if e.cache == nil {
		return
	}
	if p.All {
		e.cache.PurgeAll(p.Soft)
		return
	}
	e.cache.PurgeTags(p.Soft, p.Tags...)
	e.cache.PurgeURL(p.Soft, p.URLs...)
}

// Purge removes p from every edge on the bus. When it returns nil nothing of it is served any more, by any of them. On
// an error it is gone here, but perhaps not everywhere: repeat it.
func (e *Edge) Purge(ctx context.Context, p Purge) error {
	if len(p.Tags)+len(p.URLs) == 0 && !p.All {
		return ErrNothing
	}
	e.PurgeHere(p)
	if e.opts.Bus == nil {
		return nil
	}
	return p.Send(ctx, e.opts.Bus)
}

// Recheck has the origins confirm whatever is kept now before it is used again: for when purges may have passed this edge
// by.
func (e *Edge) Recheck() {
	if e.cache != nil {
		e.cache.Recheck()
	}
}

// perMessage bounds the names in one message of a bus.
const perMessage = 500

// Send removes p from every edge on bus, for a process that is none itself. When it returns nil nothing of it is served any
// more, by any of them.
func (p Purge) Send(ctx context.Context, bus Bus) error {
	var errs []error
	for _, part := range p.parts() {
		data, err := json.Marshal(purgeMessage{&part})
		if err == nil {
			err = bus.Broadcast(ctx, data)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("edge: the purge did not verifiably reach every edge: %w", err))
		}
	}
	return errors.Join(errs...)
}

// parts are p in messages that are not too long.
func (p Purge) parts() (list []Purge) {
	if p.All {
		return []Purge{{All: true, Soft: p.Soft}}
	}
	for tags := range slices.Chunk(p.Tags, perMessage) {
		list = append(list, Purge{Tags: tags, Soft: p.Soft})
	}
	for urls := range slices.Chunk(p.URLs, perMessage) {
		list = append(list, Purge{URLs: urls, Soft: p.Soft})
	}
	return list
}

// maxPurge bounds the body of a request to PurgeHandler.
const maxPurge = 1 << 20

// PurgeHandler answers POST with a [Purge] as JSON, when it is gone everywhere. Whoever may reach it may empty the cache:
// put it behind authentication.
func (e *Edge) PurgeHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var p Purge
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxPurge))
		dec.DisallowUnknownFields()
		switch err := dec.Decode(&p); {
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			problemMethod.Write(w, r.Method, "")
		case err != nil || len(p.Tags)+len(p.URLs) == 0 && !p.All:
			bad := problemBadBody
			bad.CloseConn, bad.Detail = false, `send {"tags":[…],"urls":[…]} or {"all":true}, with "soft":true to make it stale only`
			bad.Write(w, r.Method, "")
		default:
			if err := e.Purge(r.Context(), p); err != nil {
				e.opts.Log.Error("purge failed", "err", err)
				problemPurge.Write(w, r.Method, "")
				return
			}
			w.WriteHeader(http.StatusNoContent)
		}
	})
}
