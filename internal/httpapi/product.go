package httpapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stampede-shop/stampede/internal/shop"
)

const (
	maxIDs      = 100
	maxText     = 200
	maxPrice    = 1_000_000_000_000
	maxCategory = 500
)

var sorts = []string{string(shop.SortPopular), string(shop.SortNewest), string(shop.SortPrice), string(shop.SortPriceDesc), string(shop.SortRating)}

var fieldsParam = query("fields", "Fields to return, comma-separated; all when absent", textSchema(1000))

func (a *api) productRoutes() []route {
	enum := &huma.Schema{Type: huma.TypeString, Default: string(shop.SortPopular)}
	for _, s := range sorts {
		enum.Enum = append(enum.Enum, s)
	}
	page := intSchema(1, 100)
	page.Default = 20
	return []route{
		{method: "GET", path: "/products", id: "listProducts", summary: "List, search and filter products, or get several by id",
			text: "Keyset pages that stay stable while products are inserted. With ids, exactly these, in the order asked, and no other parameter but fields.",
			params: slices.Concat([]param{query("limit", "Products a page", page), query("cursor", "From X-Next-Cursor or Link", textSchema(maxCursor))},
				filterParams(), []param{query("sort", "Order", enum), fieldsParam,
					query("ids", "Up to 100 ids, comma-separated", &huma.Schema{Type: huma.TypeString}), ifNoneMatch}),
			answers: []answer{{status: 200, doc: "The products", body: shop.Product{}, list: true,
				headers: []string{"ETag", "Link", "X-Next-Cursor", "X-Missing-Ids"}},
				{status: http.StatusNotModified, doc: notModified.doc, headers: []string{"ETag", "Link", "X-Next-Cursor", "X-Missing-Ids"}}},
			handle: a.listProducts},
		{method: "GET", path: "/products/{id}", id: "getProduct", summary: "One product", params: []param{fieldsParam, ifNoneMatch},
			answers: []answer{{status: 200, doc: "The product", body: shop.Product{}, headers: []string{"ETag"}}, notModified}, handle: a.getProduct},
		{method: "POST", path: "/products/batch", id: "batchProducts", summary: "Several products by id in one round trip",
			text: "In the order asked, duplicates included.", body: bodyOf[batchInput](),
			answers: []answer{{status: 200, doc: "The products", body: shop.Product{}, list: true, headers: []string{"X-Missing-Ids"}}},
			handle:  a.batchProducts},
	}
}

// filterParams are what lists and counts are narrowed by.
func filterParams() []param {
	return []param{query("q", "Full text, tolerant of typing errors", textSchema(maxText)),
		query("category", "This category path and all below", textSchema(maxCategory)), query("brand", "Exactly this brand", textSchema(maxText)),
		query("min_price", "Minor units, inclusive", intSchema(0, maxPrice)), query("max_price", "Minor units, inclusive", intSchema(0, maxPrice)),
		query("in_stock", "Only (not) sold out", &huma.Schema{Type: huma.TypeBoolean})}
}

func (q *queryParams) filters() shop.ProductQuery {
	return shop.ProductQuery{Q: q.text("q", maxText), Category: q.text("category", maxCategory), Brand: q.text("brand", maxText),
		MinPrice: q.optInt("min_price", 0, maxPrice), MaxPrice: q.optInt("max_price", 0, maxPrice), InStock: q.optBool("in_stock")}
}

func (a *api) listProducts(c *call) error {
	q, err := parseQuery(c.r)
	if err != nil {
		return err
	}
	if ids, present := q.ids("ids", maxIDs); present {
		return a.productsByID(c, q, ids)
	}
	fields := q.fields()
	pq := q.filters()
	pq.Limit, pq.Cursor = int(q.int("limit", 1, 100, 20)), q.text("cursor", maxCursor)
	pq.Sort = shop.Sort(q.oneOf("sort", string(shop.SortPopular), sorts...))
	if err := q.err(); err != nil {
		return err
	}
	page, err := a.views.EncodedList(c.ctx(), pq)
	if err != nil {
		return err
	}
	c.nextLink(q, page.Next)
	keep := keepList
	if pq.Cursor != "" {
		keep = keepDeep
	}
	return c.public(pageRepresentation(page, fields), keep)
}

func (a *api) productsByID(c *call, q *queryParams, ids []int64) error {
	fields := q.fields()
	if err := q.err(); err != nil {
		return err
	}
	products, err := a.many(c, ids)
	if err != nil {
		return err
	}
	var keys []string
	for _, id := range ids { // those missing too: they may come into being
		if k := productKey(id); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	rep := newRepresentation(arrayOf(products, fields), 0, strings.Join(keys, " "), c.w.Header().Get("X-Missing-Ids"))
	if c.w.Header().Get("X-Missing-Ids") != "" {
		return c.public(rep, keepIncomplete)
	}
	return c.public(rep, keepProduct)
}

// many reads products by id and names the missing ones in a header.
func (a *api) many(c *call, ids []int64) ([]*shop.EncodedProduct, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	products, err := a.views.EncodedProducts(c.ctx(), ids)
	if err != nil {
		return nil, err
	}
	found := make(map[int64]bool, len(products))
	for _, p := range products {
		found[p.Product.ID] = true
	}
	var missing []string
	for _, id := range ids {
		if !found[id] {
			found[id] = true // name it once
			missing = append(missing, strconv.FormatInt(id, 10))
		}
	}
	if len(missing) > 0 {
		c.w.Header().Set("X-Missing-Ids", strings.Join(missing, ","))
	}
	return products, nil
}

func (a *api) getProduct(c *call) error {
	id, err := c.id("id", "product")
	if err != nil {
		return err
	}
	var fields shop.FieldSet
	if c.r.URL.RawQuery != "" {
		q, err := parseQuery(c.r)
		if err != nil {
			return err
		}
		fields = q.fields()
		if err := q.err(); err != nil {
			return err
		}
	}
	p, err := a.views.EncodedProduct(c.ctx(), id)
	if err != nil {
		return c.absent(err, productKey(id))
	}
	return c.public(productRepresentation(p, fields), keepProduct)
}

func (a *api) batchProducts(c *call) error {
	in, err := decode[batchInput](c)
	if err != nil {
		return err
	}
	fields, unknown := fieldSetOf(in.Fields)
	if len(unknown) > 0 {
		return shop.Invalid("fields", "%q is not a field of a product", cut(unknown[0]))
	}
	products, err := a.many(c, in.IDs)
	if err != nil {
		return err
	}
	c.w.Header()["Cache-Control"] = cachePrivate
	return c.write(http.StatusOK, arrayOf(products, fields))
}
