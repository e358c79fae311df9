package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// MergeCart implements shop.CartStore in three transactions: the lines leave the guest's cart for an export row on the
// guest's shard; they are added to the account's cart together with a mark that this export has arrived; the export
// row is dropped. Whoever repeats it after a crash goes on from the export rows it finds.
func (s *Shards) MergeCart(ctx context.Context, guestID, userID string) error {
	if guestID == userID {
		return nil
	}
	var exports []sharddb.CartExportsRow
	err := s.on(ctx, guestID, func(ctx context.Context, n shard.Node) error {
		p := newPipe()
		_ = p.LockCart(ctx, guestID)
		_ = p.ExportCart(ctx, sharddb.ExportCartParams{GuestID: guestID, UserID: userID})
		_, _ = p.CartExports(ctx, guestID)
		found := collect[sharddb.CartExportsRow](p)
		err := p.send(ctx, n.Pool)
		exports = found.all
		return err
	})
	for _, e := range exports {
		if err != nil {
			return err
		}
		if err = s.importCart(ctx, guestID, e); err == nil {
			err = s.on(ctx, guestID, func(ctx context.Context, n shard.Node) error {
				return sharddb.New(n.Pool).DropExport(ctx, sharddb.DropExportParams{GuestID: guestID, ID: e.ID})
			})
		}
	}
	return err
}

func (s *Shards) importCart(ctx context.Context, guestID string, e sharddb.CartExportsRow) error {
	var lines []shop.Line
	if err := json.Unmarshal(e.Lines, &lines); err != nil {
		return fmt.Errorf("export %d of guest %s: %w", e.ID, guestID, err)
	}
	cols := columnsOf(lines)
	return s.on(ctx, e.UserID, func(ctx context.Context, n shard.Node) error {
		p := newPipe()
		_ = p.EnsureCart(ctx, e.UserID)
		_ = p.LockCart(ctx, e.UserID)
		_ = p.ImportCart(ctx, sharddb.ImportCartParams{UserID: e.UserID, GuestID: guestID, ExportID: e.ID,
			Currency: e.Currency, ProductIds: cols.ids, Skus: cols.skus, Names: cols.names, Quantities: cols.quantities,
			UnitPrices: cols.prices, MaxQuantity: shop.MaxLineQuantity, MaxLines: shop.MaxCartLines})
		return p.send(ctx, n.Pool)
	})
}
