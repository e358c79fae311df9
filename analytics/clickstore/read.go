package clickstore

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/stampede-shop/stampede/analytics"
)

// whereabouts is how far the store is.
type whereabouts struct {
	append, turn uint64
	place        analytics.Place
	behind       bool // the table place is behind the rows
}

const placed = "SELECT turn, append, stream, sequence FROM place ORDER BY turn DESC LIMIT 1"

// whereabouts reads the table place, and whether rows are ahead of it.
func (s *Store) whereabouts(ctx context.Context, client *ch.Client) (at whereabouts, err error) {
	var turn, number, sequence proto.ColUInt64
	var stream proto.ColStr
	err = s.ask(ctx, client, placed, proto.Results{{Name: "turn", Data: &turn}, {Name: "append", Data: &number}, {Name: "stream", Data: &stream}, {Name: "sequence", Data: &sequence}},
		func() error {
			at = whereabouts{append: number[0], turn: turn[0], place: analytics.Place{Stream: stream.First(), Sequence: sequence[0]}}
			return nil
		})
	if err != nil {
		return at, err
	}
	ahead, err := s.latest(ctx, client, at.append+1)
	if ahead.append > 0 {
		at.append, at.place, at.behind = ahead.append, ahead.place, true
	}
	return at, err
}

// Place implements analytics.Store.
func (s *Store) Place(ctx context.Context) (analytics.Place, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.ReadTimeout)
	defer cancel()
	var at whereabouts
	err := s.reading(ctx, func(client *ch.Client) (err error) {
		at, err = s.whereabouts(ctx, client)
		return err
	})
	return at.place, err
}

// Stored implements analytics.Store.
func (s *Store) Stored(ctx context.Context, ids []analytics.ID, from, to time.Time) (found []analytics.ID, err error) {
	for list := range analytics.Looks(ids, "") {
		q := fmt.Sprintf("SELECT id FROM event WHERE time >= %s AND time <= %s AND id IN (%s)", stamp(from), stamp(to), list)
		if err = s.ids(ctx, q, func(more []analytics.ID) { found = append(found, more...) }); err != nil {
			break
		}
	}
	return found, err
}

// stamp is a moment in SQL.
func stamp(t time.Time) string {
	return fmt.Sprintf("fromUnixTimestamp64Micro(%d, 'UTC')", t.UnixMicro())
}

// ReceivedSince implements analytics.Store.
func (s *Store) ReceivedSince(ctx context.Context, since time.Time, limit int, f func([]analytics.ID)) error {
	// Events were received by the batch: there are few such times, however many events.
	const enough = `SELECT max(received) AS received FROM (SELECT received, sum(count()) OVER (ORDER BY received DESC) AS n FROM event WHERE received >= %s GROUP BY received) WHERE n > %d`
	var from proto.ColDateTime64
	err := s.read(ctx, fmt.Sprintf(enough, stamp(since), limit), proto.Results{{Name: "received", Data: &from}}, func() error {
		if from.Data[0] > 0 { // otherwise there are no more than limit
			since = time.UnixMicro(int64(from.Data[0]))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.ids(ctx, "SELECT id FROM event WHERE received >= "+stamp(since), f)
}

func (s *Store) ids(ctx context.Context, query string, f func([]analytics.ID)) error {
	var col proto.ColUUID
	var some []analytics.ID
	return s.read(ctx, query, proto.Results{{Name: "id", Data: &col}}, func() error {
		some = some[:0]
		for _, id := range col {
			some = append(some, analytics.ID(id))
		}
		f(some)
		return nil
	})
}

const recent = `SELECT id, time, CAST(kind AS String) AS kind, ifNull(shopper, 0) AS shopper, ifNull(product, 0) AS product, ifNull(order_id, toUUID('00000000-0000-0000-0000-000000000000')) AS order_id,
	ifNull(CAST(category AS Nullable(String)), '') AS category, ifNull(query, '') AS query, quantity, amount, ifNull(CAST(currency AS Nullable(String)), '') AS currency
FROM event WHERE event.time >= %s ORDER BY event.time DESC LIMIT %d`

// Recent implements analytics.Store.
func (s *Store) Recent(ctx context.Context, since time.Time, limit int, f func(*analytics.Batch)) error {
	var id, order proto.ColUUID
	var at proto.ColDateTime64
	var kind, category, query, currency proto.ColStr
	var shopper proto.ColUInt64
	var product, amount proto.ColInt64
	var quantity proto.ColInt32
	var b analytics.Batch
	result := proto.Results{{Name: "id", Data: &id}, {Name: "time", Data: &at}, {Name: "kind", Data: &kind}, {Name: "shopper", Data: &shopper}, {Name: "product", Data: &product},
		{Name: "order_id", Data: &order}, {Name: "category", Data: &category}, {Name: "query", Data: &query}, {Name: "quantity", Data: &quantity},
		{Name: "amount", Data: &amount}, {Name: "currency", Data: &currency}}
	return s.read(ctx, fmt.Sprintf(recent, stamp(since), limit), result, func() error {
		b.Reset()
		for i := range id {
			e := analytics.Event{ID: analytics.ID(id[i]), Time: time.UnixMicro(int64(at.Data[i])).UTC(), Shopper: shopper[i], Product: product[i], Order: analytics.ID(order[i]),
				Category: category.Row(i), Query: query.Row(i), Quantity: quantity[i], Amount: amount[i], Currency: currency.Row(i)}
			e.Kind, _ = analytics.ParseKind(kind.Row(i))
			b.Add(&e)
		}
		f(&b)
		return nil
	})
}

// Stats implements analytics.Store. Files are the parts of the table.
func (s *Store) Stats(ctx context.Context) (st analytics.StoreStats, err error) {
	var events, files, bytes proto.ColUInt64
	err = s.read(ctx, "SELECT sum(rows) AS events, count() AS files, sum(bytes_on_disk) AS bytes FROM system.parts WHERE database = currentDatabase() AND table = 'event' AND active",
		proto.Results{{Name: "events", Data: &events}, {Name: "files", Data: &files}, {Name: "bytes", Data: &bytes}}, func() error {
			st.Events, st.Files, st.Bytes = int64(events[0]), int64(files[0]), int64(bytes[0])
			return nil
		})
	if err != nil {
		return st, err
	}
	var since proto.ColDateTime64
	err = s.read(ctx, "SELECT min(since) AS since FROM made", proto.Results{{Name: "since", Data: &since}}, func() error {
		st.Since = time.UnixMicro(int64(since.Data[0])).UTC()
		return nil
	})
	return st, err
}
