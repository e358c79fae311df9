package postgres_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/replica"
)

// depot is a catalogue on a database of its own.
type depot struct {
	*postgres.Catalog
	pool *pgxpool.Pool

	mu      sync.Mutex
	commits []replica.LSN // heard of, also by writes side by side
}

func newDepot(t *testing.T) *depot {
	t.Helper()
	dsn := localtest.Postgres(t).Database(t)
	if err := postgres.MigrateCatalog(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	set := replica.New(pool, nil, replica.Options{})
	t.Cleanup(set.Close)
	s := &depot{pool: pool}
	s.Catalog = postgres.NewCatalog(set, postgres.CatalogOptions{ReadTimeout: 20 * time.Second, WriteTimeout: 20 * time.Second,
		OnCommit: func(_ context.Context, at replica.LSN) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.commits = append(s.commits, at)
		}})
	return s
}

func (s *depot) create(t *testing.T, p shop.NewProduct) shop.Product {
	t.Helper()
	got, err := s.CreateProduct(t.Context(), "tester", p)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// told returns the payloads of the outbox and empties it.
func (s *depot) told(t *testing.T) (events []shop.ProductChanged) {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), "WITH d AS (DELETE FROM outbox RETURNING *) SELECT topic, key, payload FROM d ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var topic, key string
		var e shop.ProductChanged
		if err := rows.Scan(&topic, &key, &e); err != nil {
			t.Fatal(err)
		}
		if topic != shop.TopicProductChanged || key != shop.ProductKey(e.ID) {
			t.Errorf("outbox row %s %s %v", topic, key, e)
		}
		events = append(events, e)
	}
	return events
}

func TestMigrateAgainAndAtOnce(t *testing.T) {
	t.Parallel()
	dsn := localtest.Postgres(t).Database(t)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if err := postgres.MigrateCatalog(t.Context(), dsn); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := postgres.MigrateCatalog(t.Context(), dsn); err != nil {
		t.Error(err)
	}
}

func TestEveryIndexSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	s := newDepot(t)
	var silent []string
	err := s.pool.QueryRow(t.Context(), `SELECT coalesce(array_agg(c.relname::text), '{}') FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		WHERE c.relnamespace = 'public'::regnamespace AND obj_description(c.oid) IS NULL AND c.relname NOT LIKE 'goose%'`).Scan(&silent)
	if err != nil || len(silent) > 0 {
		t.Errorf("indexes without a comment: %v, %v", silent, err)
	}
}

func TestProductLife(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), newDepot(t)
	p := s.create(t, shop.NewProduct{SKU: " A-1 ", Name: "Blue Käse Lamp", Category: "/Home//Lamps/", Price: 1999,
		Rating: 4.7, Attributes: json.RawMessage(`{"colour":"blue","size":{"w":3,"h":2}}`)})
	want := shop.Product{ID: p.ID, SKU: "A-1", Name: "Blue Käse Lamp", Slug: "blue-kase-lamp", Category: "Home/Lamps", Price: 1999,
		Currency: "USD", Rating: 4.7, Attributes: p.Attributes, Availability: shop.SoldOut, Version: 1, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt}
	if diff := cmp.Diff(want, p); diff != "" || p.CreatedAt.IsZero() {
		t.Fatal(diff)
	}
	got, err := s.Product(ctx, p.ID)
	if diff := cmp.Diff(p, got); diff != "" || err != nil {
		t.Fatal(diff, err)
	}
	_, err = s.CreateProduct(ctx, "tester", shop.NewProduct{SKU: "A-1", Name: "Another"})
	wantCode(t, err, shop.CodeSKUTaken)

	q, err := s.ReplaceProduct(ctx, "boss", p.ID, shop.NewProduct{SKU: "A-1", Name: "Green Lamp", Price: 5}, 1)
	if err != nil || q.Version != 2 || q.Name != "Green Lamp" || q.Category != "" || string(q.Attributes) != "{}" {
		t.Fatalf("replaced: %+v, %v", q, err)
	}
	_, err = s.ReplaceProduct(ctx, "boss", p.ID, shop.NewProduct{SKU: "A-1", Name: "x"}, 1)
	wantCode(t, err, shop.CodePreconditionFailed)
	wantCode(t, s.DeleteProduct(ctx, "boss", p.ID, 1), shop.CodePreconditionFailed)
	if err := s.DeleteProduct(ctx, "boss", p.ID, 2); err != nil {
		t.Fatal(err)
	}
	_, err = s.Product(ctx, p.ID)
	wantCode(t, err, shop.CodeNotFound)
	wantCode(t, s.DeleteProduct(ctx, "boss", p.ID, 0), shop.CodeNotFound)
	_, err = s.PatchProduct(ctx, "boss", p.ID, json.RawMessage(`{"name":"y"}`), 0)
	wantCode(t, err, shop.CodeNotFound)
	again := s.create(t, shop.NewProduct{SKU: "A-1", Name: "Reborn"})
	wantTold := []shop.ProductChanged{{ID: p.ID, Version: 1}, {ID: p.ID, Version: 2}, {ID: p.ID, Version: 3}, {ID: again.ID, Version: 1}}
	if diff := cmp.Diff(wantTold, s.told(t)); diff != "" {
		t.Error(diff)
	}
	if len(s.commits) != 4 {
		t.Errorf("heard of %d commits, want 4", len(s.commits))
	}
	page, err := s.ListProducts(ctx, shop.ProductQuery{})
	if err != nil || len(page.Products) != 1 || page.Products[0].ID != again.ID || page.Next != "" {
		t.Errorf("list shows %+v, %v", page, err)
	}
}

func TestPatch(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), newDepot(t)
	p := s.create(t, shop.NewProduct{SKU: "B", Name: "Lamp", Brand: "Lux", Price: 100, Description: "old",
		Attributes: json.RawMessage(`{"a":1,"b":{"c":2,"d":3},"big":12345678901234567890}`)})
	got, err := s.PatchProduct(ctx, "boss", p.ID, json.RawMessage(
		`{"price":250,"description":null,"attributes":{"a":null,"b":{"c":[1]},"e":{"f":null,"g":1}}}`), p.Version)
	if err != nil {
		t.Fatal(err)
	}
	var attributes any
	d := json.NewDecoder(strings.NewReader(string(got.Attributes)))
	d.UseNumber()
	if err := d.Decode(&attributes); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"b": map[string]any{"c": []any{json.Number("1")}, "d": json.Number("3")}, "e": map[string]any{"g": json.Number("1")},
		"big": json.Number("12345678901234567890")}
	if diff := cmp.Diff(want, attributes); diff != "" {
		t.Error(diff)
	}
	if got.Price != 250 || got.Description != "" || got.Brand != "Lux" || got.Version != 2 || got.Slug != "lamp" {
		t.Errorf("patched to %+v", got)
	}
	for patch, field := range map[string]string{
		`{"id":7}`: "id", `{"availability":"in_stock"}`: "availability", `{"Name":"x"}`: "Name", `{"price":"1"}`: "price",
		`{"price":1.5}`: "price", `{"price":-1}`: "price", `{"price":null}`: "price", `{"name":null}`: "name", `{"sku":""}`: "sku", `{"rating":6}`: "rating",
		`{"attributes":[]}`: "attributes", `{"attributes":{"x":"\u0000"}}`: "attributes", `{"currency":"usd"}`: "currency",
		`{"attributes":{"x":1e999999}}`: "attributes", `{"slug":"No Way"}`: "slug",
	} {
		_, err := s.PatchProduct(ctx, "boss", p.ID, json.RawMessage(patch), 0)
		e, _ := err.(*shop.Error)
		if e == nil || e.Code != shop.CodeInvalid || e.Fields[0].Field != field {
			t.Errorf("%s: %v, want a complaint about %s", patch, err, field)
		}
	}
	for _, patch := range []string{``, `{`, `{} {}`} {
		_, err := s.PatchProduct(ctx, "boss", p.ID, json.RawMessage(patch), 0)
		wantCode(t, err, shop.CodeMalformed)
	}
	_, err = s.PatchProduct(ctx, "boss", p.ID, json.RawMessage(`[1]`), 0)
	wantCode(t, err, shop.CodeInvalid)
}

func TestCreateNamesEveryWrongField(t *testing.T) {
	t.Parallel()
	s := newDepot(t)
	_, err := s.CreateProduct(t.Context(), "tester", shop.NewProduct{SKU: strings.Repeat("x", 65), Price: -1, Currency: "EURO",
		Rating: 5.1, RatingCount: -1, Popularity: -1, ImageURL: "javascript:alert(1)", Attributes: json.RawMessage(`[]`), Brand: "a\x00b"})
	e, _ := err.(*shop.Error)
	if e == nil || e.Code != shop.CodeInvalid {
		t.Fatal(err)
	}
	var fields []string
	for _, f := range e.Fields {
		fields = append(fields, f.Field)
	}
	want := []string{"sku", "name", "brand", "brand", "price", "currency", "image_url", "rating", "rating_count", "popularity", "attributes"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
}

func TestProducts(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), newDepot(t)
	a, b := s.create(t, shop.NewProduct{SKU: "a", Name: "a"}), s.create(t, shop.NewProduct{SKU: "b", Name: "b"})
	tctx, timing := shop.WithTiming(ctx)
	got, err := s.Products(tctx, []int64{b.ID, 999, a.ID, b.ID})
	if diff := cmp.Diff([]shop.Product{b, a, b}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if e := timing.Entries(); len(e) != 1 || e[0].Tier != "db" || e[0].Desc != replica.PrimaryName {
		t.Errorf("timing %v", e)
	}
	if n, err := s.Count(ctx); n != 2 || err != nil {
		t.Errorf("count %d, %v", n, err)
	}
	if got, err := s.Products(ctx, nil); len(got) != 0 || err != nil {
		t.Errorf("no ids: %v, %v", got, err)
	}
}

func TestSetAvailability(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), newDepot(t)
	p := s.create(t, shop.NewProduct{SKU: "a", Name: "a"})
	s.told(t)
	for _, step := range []struct {
		to      shop.Availability
		level   int64
		changed bool
	}{{shop.InStock, 5, true}, {shop.SoldOut, 4, false}, {shop.SoldOut, 5, false}, {shop.InStock, 6, false}, {shop.LowStock, 7, true}} {
		changed, err := s.SetAvailability(ctx, p.ID, step.to, step.level)
		if err != nil || changed != step.changed {
			t.Errorf("%v: changed %t, %v", step, changed, err)
		}
	}
	got, err := s.Product(ctx, p.ID)
	if err != nil || got.Availability != shop.LowStock || got.Version != p.Version || !got.UpdatedAt.Equal(p.UpdatedAt) {
		t.Errorf("got %+v, %v", got, err)
	}
	if n := len(s.told(t)); n != 2 {
		t.Errorf("%d outbox rows, want 2", n)
	}
	if changed, err := s.SetAvailability(ctx, 999, shop.InStock, 1); changed || err != nil {
		t.Errorf("unknown product: %t, %v", changed, err)
	}
}

// A catalogue from before wide marks is found by them after the migration.
func TestMigrationAddsWideMarks(t *testing.T) {
	t.Parallel()
	s := stocked(t, 600)
	strip := `UPDATE products SET search = (SELECT array_to_tsvector(array_agg(w)) FROM unnest(tsvector_to_array(search)) w WHERE w !~ '^#[PF]')`
	want := "SELECT string_agg(w, ' ' ORDER BY id, w) FROM products, unnest(tsvector_to_array(search)) w WHERE w ~ '^#[PF]'"
	var before, after string
	if err := s.pool.QueryRow(t.Context(), want).Scan(&before); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{strip, "DROP TABLE shard_topology, shard_moves, shard_members",
		"DROP FUNCTION facet_note, facet_band CASCADE", "DROP TABLE facet_counts, facet_deltas", "DROP TABLE campaigns", "DELETE FROM goose_db_version WHERE version_id >= 2"} {
		if _, err := s.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := postgres.MigrateCatalog(t.Context(), s.pool.Config().ConnString()); err != nil {
		t.Fatal(err)
	}
	if err := s.pool.QueryRow(t.Context(), want).Scan(&after); err != nil || after != before {
		t.Errorf("marks differ after the migration, %v", err)
	}
}
