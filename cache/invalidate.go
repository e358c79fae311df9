package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// chunk bounds the tags of one message and of one exchange with Redis.
const chunk = 500

// message is what goes over the bus.
type message struct {
	From    string            `json:"from"`
	Prepare bool              `json:"prepare,omitempty"` // only Meta counts: nothing is dropped yet
	Clear   bool              `json:"clear,omitempty"`
	Tags    []string          `json:"tags,omitempty"`
	Meta    map[string]string `json:"meta,omitempty"`
	Pending bool              `json:"pending,omitempty"` // the sender could not tell Redis
}

// Invalidate makes every value with one of the tags gone from L2 and, when it returns nil, from the L1 of every live process.
// ErrUnconfirmed, wrapped, says that one of these could not be verified. The own process drops them in any case, and
// what Redis did not hear it hears before it is used again.
func (s *Store) Invalidate(ctx context.Context, tags []string) error {
	return s.InvalidateMeta(ctx, Invalidation{Tags: tags})
}

// InvalidateMeta is Invalidate with a note for Options.OnInvalidate: every process has it before the first value is dropped,
// so that what is loaded afterwards can heed it.
func (s *Store) InvalidateMeta(ctx context.Context, inv Invalidation) error {
	var errs []error
	if len(inv.Meta) > 0 {
		s.hook(inv)
		errs = append(errs, s.broadcast(ctx, message{Prepare: true, Meta: inv.Meta}))
	}
	for tags := range slices.Chunk(inv.Tags, chunk) {
		errs = append(errs, s.drop(ctx, message{Tags: tags, Meta: inv.Meta}))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	}
	return nil
}

// Clear invalidates everything, with the promises of Invalidate.
func (s *Store) Clear(ctx context.Context) error {
	if err := s.drop(ctx, message{Clear: true}); err != nil {
		return fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	}
	return nil
}

// Forget drops what this process holds in L1, for when it may have missed messages of the bus. L2 checks every value it
// gives, so it needs none of this.
func (s *Store) Forget() { s.dropLocal(message{Clear: true}) }

// drop tells Redis first: a process that drops a value from L1 must not find the old one in L2 again.
func (s *Store) drop(ctx context.Context, m message) error {
	var l2err error
	if s.l2 != nil {
		l2err = s.l2.invalidate(ctx, m.Tags, m.Clear)
		m.Pending = l2err != nil
	}
	s.dropLocal(m)
	s.sent.Add(1)
	return errors.Join(l2err, s.broadcast(ctx, m))
}

func (s *Store) dropLocal(m message) {
	s.gens.bump(m.Tags)
	if m.Clear {
		s.gens.clear()
		for _, f := range s.members() {
			f.clear()
		}
	}
}

func (s *Store) broadcast(ctx context.Context, m message) error {
	if s.o.Bus == nil {
		return nil
	}
	m.From = s.id
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := s.o.Bus.Broadcast(ctx, data); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	return nil
}

// receive handles a message; the bus acknowledges it when this returns.
func (s *Store) receive(data []byte) {
	var m message
	if err := json.Unmarshal(data, &m); err != nil {
		s.o.Logger.Error("unreadable invalidation: dropping everything", "error", err)
		s.dropLocal(message{Clear: true}) // whatever it said, nothing stale is served
		return
	}
	if m.From == s.id {
		return
	}
	s.received.Add(1)
	if len(m.Meta) > 0 {
		s.hook(Invalidation{Tags: m.Tags, Meta: m.Meta})
	}
	if m.Prepare {
		return
	}
	if m.Pending && s.l2 != nil {
		s.l2.remember(m.Tags, m.Clear) // whoever reaches Redis first tells it
	}
	s.dropLocal(m)
}

func (s *Store) hook(inv Invalidation) {
	if s.o.OnInvalidate != nil {
		s.o.OnInvalidate(inv)
	}
}
