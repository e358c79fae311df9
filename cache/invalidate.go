package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// chunk bounds the tags of one message and of one exchange with Redis.
const chunk = 500

// message is what goes over the bus. Epoch, N and K are what Redis counted with this change, so that a lost one is noticed.
type message struct {
	From    string            `json:"from"`
	Prepare bool              `json:"prepare,omitempty"` // only Meta counts: nothing is dropped yet
	Counted bool              `json:"counted,omitempty"` // only the numbers count: it was dropped before
	Clear   bool              `json:"clear,omitempty"`
	Tags    []string          `json:"tags,omitempty"`
	Keys    []keyRef          `json:"keys,omitempty"`
	Meta    map[string]string `json:"meta,omitempty"`
	Pending bool              `json:"pending,omitempty"` // the sender could not tell Redis
	Epoch   string            `json:"epoch,omitempty"`
	N       uint64            `json:"n,omitempty"`
	K       uint64            `json:"k,omitempty"`
}

// keyRef names one value; Redis is its key there, if it is there at all.
type keyRef struct {
	Family string `json:"f"`
	Key    string `json:"k"`
	Redis  string `json:"r,omitempty"`
}

func (m *message) number(r reading) { m.Epoch, m.N, m.K = r.epoch, r.n, r.keys }

func (m *message) reading() reading { return reading{moment{m.Epoch, m.N}, m.K} }

func (m *message) change() change {
	c := change{tags: m.Tags, clear: m.Clear}
	for _, k := range m.Keys {
		if k.Redis != "" {
			c.keys = append(c.keys, k.Redis)
		}
	}
	return c
}

// Invalidate makes every value with one of the tags gone from L2 and, when it returns nil, from the L1 of every live process.
// ErrUnconfirmed, wrapped, says that one of these could not be verified. The own process drops them in any case, and
// what Redis did not hear it hears before it is used again.
func (s *Store) Invalidate(ctx context.Context, tags []string) error {
	return s.InvalidateMeta(ctx, Invalidation{Tags: tags})
}

// InvalidateTags is Invalidate.
func (s *Store) InvalidateTags(ctx context.Context, tags ...string) error {
	return s.Invalidate(ctx, tags)
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
	return unconfirmed(errs...)
}

// Clear invalidates everything, with the promises of Invalidate.
func (s *Store) Clear(ctx context.Context) error {
	return unconfirmed(s.drop(ctx, message{Clear: true}))
}

func unconfirmed(errs ...error) error {
	if err := errors.Join(errs...); err != nil {
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
	if c := m.change(); s.l2 != nil && (c.clear || len(c.tags)+len(c.keys) > 0) {
		var r reading
		r, l2err = s.l2.invalidate(ctx, c)
		m.Pending = l2err != nil
		m.number(r)
	}
	s.dropLocal(m)
	s.heard(m)
	s.sent.Add(1)
	return errors.Join(l2err, s.broadcast(ctx, m))
}

func (s *Store) dropLocal(m message) {
	s.dropping.Lock()
	defer s.dropping.Unlock()
	s.gens.bump(m.Tags)
	if len(m.Keys) > 0 {
		s.gens.bumpKeys(m.Keys)
	}
	if m.Clear {
		s.gens.clear()
		for _, f := range s.members() {
			f.clear()
		}
	}
	s.l2Told(m) // before the next one drops anything, which ends what is noted here
}

// heard counts a message whose changes have been made here.
func (s *Store) heard(m message) {
	if s.l2 != nil {
		s.l2.ledger.hear(m.reading(), len(m.Tags) > 0, len(m.Keys) > 0, m.Clear)
	}
}

// noted is heard for what was dropped here before its number was known.
func (s *Store) noted(m message) {
	s.dropping.Lock()
	s.l2Told(m)
	s.dropping.Unlock()
	s.heard(m)
}

func (s *Store) l2Told(m message) {
	if s.l2 != nil {
		s.l2.table.told(m.reading().moment, m.Tags)
	}
}

// unheardTimeout bounds the question for what we were not told.
const unheardTimeout = 2 * time.Second

// lost is called when Redis has counted invalidations that we never heard of.
func (s *Store) lost() {
	s.o.Logger.Warn("messages of the bus were lost: nothing in memory is trusted")
	if s.o.Unheard != nil {
		ctx, cancel := context.WithTimeout(context.Background(), unheardTimeout)
		defer cancel()
		s.o.Unheard(ctx)
	}
	s.Forget()
}

// mended is called when Redis has been told what it had to hear: the others have dropped it long ago, but do not know the
// number.
func (s *Store) mended(r reading, c change) {
	m := message{Counted: true, Clear: c.clear, Tags: c.tags}
	for _, k := range c.keys {
		m.Keys = append(m.Keys, keyRef{Redis: k})
	}
	m.number(r)
	s.noted(m)
	ctx, cancel := context.WithTimeout(context.Background(), s.l2.patience())
	defer cancel()
	_ = s.broadcast(ctx, m) // whoever does not hear it drops its memory, no more
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
	if m.Counted {
		s.noted(m)
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
		s.stepIn(m)
	}
	s.dropLocal(m)
	s.heard(m)
}

// stepIn tells Redis what a sender could not: whoever reaches it first. Who cannot either remembers it.
func (s *Store) stepIn(m message) {
	c := m.change()
	if !c.clear && len(c.tags)+len(c.keys) == 0 {
		return
	}
	if r, err := s.l2.invalidate(context.Background(), c); err == nil {
		s.spawn(func() { s.mended(r, c) }) // not here: the bus waits for us
	}
}

func (s *Store) hook(inv Invalidation) {
	if s.o.OnInvalidate != nil {
		s.o.OnInvalidate(inv)
	}
}
