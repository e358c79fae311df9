package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/shard"
)

// onAll runs fn on every shard, each with the audit's time-out, one caller after another in what it collects.
func (a *auditor) onAll(ctx context.Context, fn func(ctx context.Context, n shard.Node, lock *sync.Mutex) error) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	nodes := a.s.c.Nodes()
	errs := make([]error, len(nodes))
	for i, n := range nodes {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, a.o.Timeout)
			defer cancel()
			errs[i] = shardError(n.ID, fn(ctx, n, &mu))
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	return nil
}

// page is what one shard has after a cursor, in order.
type page struct {
	ids  []string
	full bool // there may be more
}

// merged turns pages of all shards into one: only what is not after the end of any full page, so that nothing that
// comes before the next cursor is missed. done tells that there is no more.
func merged(pages []page) (ids map[string]bool, cursor string, done bool) {
	ids, done = map[string]bool{}, true
	for _, p := range pages {
		if !p.full {
			continue
		}
		if last := p.ids[len(p.ids)-1]; done || last < cursor {
			cursor, done = last, false
		}
	}
	for _, p := range pages {
		for _, id := range p.ids {
			if done || id <= cursor {
				ids[id] = true
			}
		}
	}
	return ids, cursor, done
}

// orders checks everything that belongs to an order, a page of orders at a time.
func (a *auditor) orders(ctx context.Context) (all []finding, err error) {
	for cursor, done := "", false; !done; {
		var pages []page
		err = a.onAll(ctx, func(ctx context.Context, n shard.Node, mu *sync.Mutex) error {
			ids, err := sharddb.New(n.Pool).AuditOrderIDs(ctx, sharddb.AuditOrderIDsParams{After: cursor, MaxRows: int32(a.o.Page)})
			mu.Lock()
			defer mu.Unlock()
			pages = append(pages, page{ids, len(ids) == a.o.Page})
			return err
		})
		if err != nil {
			return nil, err
		}
		var ids map[string]bool
		ids, cursor, done = merged(pages)
		found, err := a.ordersByID(ctx, ids)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func (a *auditor) ordersByID(ctx context.Context, ids map[string]bool) (all []finding, err error) {
	for some := range slices.Chunk(slices.Sorted(maps.Keys(ids)), 4*a.o.Page) {
		files, err := a.dossiers(ctx, some)
		if err == nil {
			err = a.tell(ctx, files, some)
		}
		if err != nil {
			return nil, err
		}
		for _, id := range some {
			all = append(all, a.judge(files[id])...)
		}
	}
	return all, nil
}

// keys checks that rows are on the shard of their sharding key.
func (a *auditor) keys(ctx context.Context) (all []finding, err error) {
	var mu sync.Mutex
	err = a.onAll(ctx, func(ctx context.Context, n shard.Node, _ *sync.Mutex) error {
		for cursor, done := "", false; !done; {
			found, err := sharddb.New(n.Pool).AuditKeys(ctx, sharddb.AuditKeysParams{After: cursor, MaxRows: int32(a.o.Page)})
			if err != nil {
				return err
			}
			mu.Lock()
			for _, r := range found {
				cursor = r.Key
				a.checked[ruleKeyPlacement]++
				if owner, err := a.s.c.Locate(r.Key); err != nil || owner != n.ID {
					all = append(all, finding{rule: ruleKeyPlacement, subject: r.Key, detail: fmt.Sprintf("is in %s of %s, belongs to %s", r.Tables, n.ID, owner)})
				}
			}
			mu.Unlock()
			done = len(found) < a.o.Page
		}
		return nil
	})
	return all, err
}

// outbox checks that events leave.
func (a *auditor) outbox(ctx context.Context) (all []finding, err error) {
	err = a.onAll(ctx, func(ctx context.Context, n shard.Node, mu *sync.Mutex) error {
		q := sharddb.New(n.Pool)
		box, err := q.AuditOutbox(ctx, interval(a.o.OutboxAge))
		if err != nil {
			return err
		}
		open, err := q.AuditOpen(ctx)
		mu.Lock()
		defer mu.Unlock()
		a.checked[ruleOutboxFresh] += box.Waiting
		a.flight["outbox"] += box.Waiting
		a.flight["open_checkouts"] += open
		if box.Old > 0 {
			all = append(all, finding{rule: ruleOutboxFresh, subject: n.ID, detail: fmt.Sprintf("%d events are older than %s, the oldest of %s",
				box.Old, a.o.OutboxAge, box.Oldest)})
		}
		return err
	})
	return all, err
}

// twiceBought checks that no cart version has two orders.
func (a *auditor) twiceBought(ctx context.Context) (all []finding, err error) {
	err = a.onAll(ctx, func(ctx context.Context, n shard.Node, mu *sync.Mutex) error {
		found, err := sharddb.New(n.Pool).AuditTwiceBought(ctx)
		mu.Lock()
		defer mu.Unlock()
		for _, r := range found {
			all = append(all, finding{rule: ruleBoughtOnce, subject: r.UserID, detail: fmt.Sprintf("version %d of the cart has %d orders", r.CartVersion, r.Orders)})
		}
		return err
	})
	a.checked[ruleBoughtOnce] = a.checked[ruleOrderTotals]
	return all, err
}
