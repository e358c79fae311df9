package app

import (
	"context"
	"errors"

	"github.com/stampede-shop/stampede/internal/app/edgerole"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/queue"
)

// openEdges joins the bus of the edges, to tell them.
func (s *stack) openEdges(name string) (err error) {
	s.edges, err = queue.NewBus(s.nc, edgerole.EdgeSubject, name+"-"+roleops.NewID(), queue.BusOptions{Log: s.log, Registerer: s.reg})
	if err == nil {
		s.onClose(s.edges.Close)
	}
	return err
}

// purgeEverywhere drops what r names from every tier and process.
func (s *stack) purgeEverywhere(ctx context.Context, r edgerole.PurgeRequest) error {
	p := r.Edge()
	err := s.purgeCaches(ctx, p.Tags)
	if r.All {
		err = errors.Join(err, s.store.Clear(ctx))
	}
	// Whatever time the caches took: an edge keeps for longest.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), edgerole.EdgesWithin)
	defer cancel()
	return errors.Join(err, p.Send(ctx, s.edges))
}
