package shop

import (
	"context"
	"encoding/json"
	"strconv"
	"time"
)

// Availability is what a product page says about stock.
type Availability string

// The three availabilities. LowStock means 1 to LowStockMax units left.
const (
	InStock  Availability = "in_stock"
	LowStock Availability = "low_stock"
	SoldOut  Availability = "sold_out"
)

// LowStockMax is the most units that still count as low stock.
const LowStockMax = 10

// AvailabilityOf is the availability of a product with so many units left.
func AvailabilityOf(available int64) Availability {
	switch {
	case available <= 0:
		return SoldOut
	case available <= LowStockMax:
		return LowStock
	default:
		return InStock
	}
}

// Product is one article of the catalogue, denormalised for reading. It lives in the catalogue database.
// Price is in integer minor units (cents) of Currency. Version grows with every edit by an administrator;
// a flip of Availability leaves Version and UpdatedAt alone.
type Product struct {
	ID           int64           `json:"id"`
	SKU          string          `json:"sku"`
	Name         string          `json:"name"`
	Slug         string          `json:"slug"`
	Description  string          `json:"description"`
	Brand        string          `json:"brand"`
	Category     string          `json:"category"`
	Price        int64           `json:"price"`
	Currency     string          `json:"currency"`
	ImageURL     string          `json:"image_url"`
	Rating       float64         `json:"rating"`
	RatingCount  int64           `json:"rating_count"`
	Attributes   json.RawMessage `json:"attributes"`
	Availability Availability    `json:"availability"`
	Version      int64           `json:"version"`
	CreatedAt    time.Time       `json:"created_at"`
	UpdatedAt    time.Time       `json:"updated_at"`
}

// NewProduct is what an administrator or an import supplies. Slug is derived from Name when empty,
// Currency defaults to USD, Attributes to {}.
type NewProduct struct {
	SKU         string          `json:"sku"`
	Name        string          `json:"name"`
	Slug        string          `json:"slug,omitempty"`
	Description string          `json:"description,omitempty"`
	Brand       string          `json:"brand,omitempty"`
	Category    string          `json:"category,omitempty"`
	Price       int64           `json:"price"`
	Currency    string          `json:"currency,omitempty"`
	ImageURL    string          `json:"image_url,omitempty"`
	Rating      float64         `json:"rating,omitempty"`
	RatingCount int64           `json:"rating_count,omitempty"`
	Popularity  int64           `json:"popularity,omitempty"` // larger is more popular; orders the "popular" sort
	Attributes  json.RawMessage `json:"attributes,omitempty"`
}

// Sort is an order of product lists; ties are broken by id so that keyset cursors are exact.
type Sort string

// The sorts of GET /products.
const (
	SortPopular   Sort = "popular"
	SortNewest    Sort = "newest"
	SortPrice     Sort = "price"
	SortPriceDesc Sort = "-price"
	SortRating    Sort = "rating"
)

// ProductQuery filters, orders and pages a product list. The zero value is the first page of 20 by popularity.
// Category matches the path itself and everything below it. Prices are minor units, both bounds inclusive.
type ProductQuery struct {
	Limit    int    // 1..100; 0 means 20
	Cursor   string // opaque, from ProductPage.Next; "" is the first page
	Q        string // full text, tolerant of typos
	Category string
	Brand    string
	MinPrice *int64
	MaxPrice *int64
	InStock  *bool
	Sort     Sort
}

// ProductPage is one page of a list and the cursor of the next, "" on the last.
type ProductPage struct {
	Products []Product `json:"products"`
	Next     string    `json:"next"`
}

// ProductReader reads the catalogue. Implementations: internal/postgres, and internal/cached in front of it.
type ProductReader interface {
	// Product returns one product, or CodeNotFound.
	Product(ctx context.Context, id int64) (Product, error)
	// Products returns those of ids that exist, in the order asked, duplicates included.
	Products(ctx context.Context, ids []int64) ([]Product, error)
	// ListProducts returns one page; a cursor that is not ours is CodeInvalid on field "cursor".
	ListProducts(ctx context.Context, q ProductQuery) (ProductPage, error)
}

// ProductWriter edits the catalogue. ifVersion, when not 0, must equal the current version (CodePreconditionFailed).
// The actor goes into the audit columns. Each write puts a TopicProductChanged row into the outbox in its transaction.
type ProductWriter interface {
	CreateProduct(ctx context.Context, actor string, p NewProduct) (Product, error)
	ReplaceProduct(ctx context.Context, actor string, id int64, p NewProduct, ifVersion int64) (Product, error)
	// PatchProduct applies an RFC 7396 merge patch to the NewProduct form of the product.
	PatchProduct(ctx context.Context, actor string, id int64, patch json.RawMessage, ifVersion int64) (Product, error)
	DeleteProduct(ctx context.Context, actor string, id int64, ifVersion int64) error
}

// ProductKey is the sharding key of a product's stock: its id in decimal.
func ProductKey(id int64) string { return strconv.FormatInt(id, 10) }
