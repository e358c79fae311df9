package clickstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/stampede-shop/stampede/analytics"
)

// zipped bounds the bytes of a block that is compressed: the client makes one frame of it, and neither side takes frames of any size. That is
// some 900,000 events.
const zipped = 120 << 20

// Append implements analytics.Store. After an error the events may be stored all the same; the same append again finds them, and stores
// them no second time. An append without events only moves the place.
func (s *Store) Append(ctx context.Context, batches []*analytics.Batch, at analytics.Place) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.WriteTimeout)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost {
		return analytics.ErrDisplaced
	}
	events := s.block.fill(batches, s.next, s.writer, at)
	zip := ch.CompressionLZ4
	if s.block.size() > s.zipped {
		zip = ch.CompressionDisabled
	}
	if err := s.connect(ctx, zip); err != nil {
		return err
	}
	if events == 0 {
		return s.writePlace(ctx, s.next-1, at)
	}
	if err := do(ctx, s.client, ch.Query{Body: s.block.input.Into("event"), Input: s.block.input, Settings: s.insertion(ctx)}); err != nil {
		return err
	}
	if err := s.won(ctx, at, uint64(events)); err != nil {
		return err
	}
	// From here on it is stored, whatever becomes of the place.
	s.next++
	if err := s.writePlace(ctx, s.next-1, at); err != nil {
		s.o.Log.Warn("the place in the stream was not written; the rows tell it", "error", err)
	}
	return nil
}

// insertion are the settings of an append. Whatever goes under a token that the server has seen is acknowledged and dropped. The block must stay
// whole, whatever the user's profile says; servers that do not know how to split one do not know that setting either.
func (s *Store) insertion(ctx context.Context) []ch.Setting {
	list := []ch.Setting{setting("insert_deduplicate", 1), {Key: "insert_deduplication_token", Value: strconv.FormatUint(s.next, 10), Important: true},
		setting("max_execution_time", seconds(ctx)), {Key: "use_strict_insert_block_limits", Value: "0"}}
	if s.o.Async {
		return append(list, setting("async_insert", 1), setting("wait_for_async_insert", 1), setting("async_insert_deduplicate", 1),
			setting("wait_for_async_insert_timeout", seconds(ctx)))
	}
	return append(list, setting("async_insert", 0))
}

// latest is the newest append from the given one on.
const latest = `SELECT append, any(writer) AS writer, CAST(any(stream) AS String) AS stream, any(sequence) AS sequence, count() AS n FROM event WHERE append >= %d
GROUP BY append ORDER BY append DESC LIMIT 1`

// slot is an append as it is stored.
type slot struct {
	append, writer, events uint64
	place                  analytics.Place
}

func (s *Store) latest(ctx context.Context, client *ch.Client, from uint64) (found slot, err error) {
	var number, writer, sequence, n proto.ColUInt64
	var name proto.ColStr
	err = s.ask(ctx, client, fmt.Sprintf(latest, from), proto.Results{{Name: "append", Data: &number}, {Name: "writer", Data: &writer}, {Name: "stream", Data: &name},
		{Name: "sequence", Data: &sequence}, {Name: "n", Data: &n}}, func() error {
		found = slot{append: number[0], writer: writer[0], events: n[0], place: analytics.Place{Stream: name.First(), Sequence: sequence[0]}}
		return nil
	})
	return found, err
}

const unseen = `clickstore: append %d was acknowledged, but its rows are not to be seen; if they were deleted by hand, run
INSERT INTO place SELECT 1, max(turn) + 1, %d, argMax(stream, turn), argMax(sequence, turn) FROM place and restart; otherwise look for row policies of the user`

// won looks whether the append under the next number is this one. If it is another's, what this process knows of the store is out of date,
// and everything that it is about to store may be there.
func (s *Store) won(ctx context.Context, at analytics.Place, events uint64) error {
	found, err := s.latest(ctx, s.client, s.next)
	switch {
	case err != nil:
		return err
	case found == slot{append: s.next, writer: s.writer, events: events, place: at}:
		return nil
	case found.append == 0:
		// It may be seen in a moment. To go on to the next number by oneself could store it twice.
		return fmt.Errorf(unseen, s.next, s.next)
	}
	s.lost = true
	return fmt.Errorf("%w (append %d of stream %q up to %d is there)", analytics.ErrDisplaced, found.append, found.place.Stream, found.place.Sequence)
}

// writePlace tells that all of a stream up to a place is stored, in the appends up to a number. The lock is held.
func (s *Store) writePlace(ctx context.Context, number uint64, at analytics.Place) error {
	var name proto.ColStr
	name.Append(at.Stream)
	input := proto.Input{{Name: "one", Data: proto.ColUInt8{1}}, {Name: "turn", Data: proto.ColUInt64{s.turn + 1}}, {Name: "append", Data: proto.ColUInt64{number}},
		{Name: "stream", Data: name}, {Name: "sequence", Data: proto.ColUInt64{at.Sequence}}}
	err := do(ctx, s.client, ch.Query{Body: input.Into("place"), Input: input, Settings: []ch.Setting{setting("async_insert", 0)}})
	s.turn++ // also after an error: it may be there
	return err
}
