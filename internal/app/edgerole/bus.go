package edgerole

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/edge"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/queue"
)

// EdgeSubject is the bus on which edges are told what to purge. It is apart from the one of the caches, so that no edge has to
// acknowledge what is not meant for it, and comes after it: an edge that were purged first could fetch the old answer again.
const EdgeSubject = "stampede.edge"

// EdgesWithin bounds the wait for the edges; one that died is given up by then.
const EdgesWithin = 2 * time.Second

// edgeBus is an edge's place on that bus.
type edgeBus struct {
	*queue.Bus
	nc   *nats.Conn
	edge atomic.Pointer[edge.Edge] // for the bus, which runs before there is one
}

func joinEdgeBus(cfg config.Config, name string, log *slog.Logger, reg prometheus.Registerer) (*edgeBus, error) {
	nc, err := queue.Connect(cfg.NATS.URL, queue.ConnectOptions{Name: name, Log: log})
	if err != nil {
		return nil, err
	}
	b := &edgeBus{nc: nc}
	b.Bus, err = queue.NewBus(nc, EdgeSubject, name+"-"+roleops.NewID(), queue.BusOptions{Log: log, Registerer: reg, OnGap: b.missedMessages})
	if err != nil {
		nc.Close()
		return nil, err
	}
	return b, nil
}

func (b *edgeBus) attach(e *edge.Edge) {
	if b != nil {
		b.edge.Store(e)
	}
}

// missedMessages runs after purges may have passed this edge by.
func (b *edgeBus) missedMessages() {
	if e := b.edge.Load(); e != nil {
		e.Recheck()
	}
}

func (b *edgeBus) close() {
	b.Bus.Close()
	b.nc.Close()
}

// PurgeRequest is what operators purge. A key is a tag, or the address of an answer that edges keep.
type PurgeRequest struct {
	Tags []string `json:"tags"`
	Keys []string `json:"keys"`
	All  bool     `json:"all"`
}

// DecodePurge reads a request that names something; the error says what to send. Who calls it bounds body.
func DecodePurge(body io.Reader) (r PurgeRequest, err error) {
	err = opshttp.Decode(body, &r)
	if err == nil && len(r.Tags)+len(r.Keys) == 0 && !r.All {
		err = errors.New("nothing named")
	}
	if err != nil {
		err = PurgeProblem(err)
	}
	return r, err
}

// PurgeProblem adds to what is wrong with a request what to send.
func PurgeProblem(err error) error {
	return fmt.Errorf("%w: send {\"tags\":[…],\"keys\":[…]} or {\"all\":true}", err)
}

// Edge is what of r concerns edges: all of it.
func (r PurgeRequest) Edge() edge.Purge {
	p := edge.Purge{Tags: r.Tags, All: r.All}
	for _, k := range r.Keys {
		if isAddress(k) {
			p.URLs = append(p.URLs, k)
		} else {
			p.Tags = append(p.Tags, k)
		}
	}
	return p
}

func isAddress(key string) bool { return strings.HasPrefix(key, "/") || strings.Contains(key, "://") }
