package httpapi

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Bodies of requests. Tags are the rules: they are checked before a handler runs, and shown in the document.

// jsonObject is any JSON object.
type jsonObject json.RawMessage

// Schema implements huma.SchemaProvider.
func (jsonObject) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *jsonObject) UnmarshalJSON(b []byte) error { return (*json.RawMessage)(o).UnmarshalJSON(b) }

// ProductFields is what an administrator says of a product: the fields of shop.NewProduct. It is exported only because
// an embedded type must be to show in the document.
type ProductFields struct {
	SKU         string     `json:"sku" minLength:"1" maxLength:"64" pattern:"^[^\\p{Cc}]+$" patternDescription:"without control characters"`
	Name        string     `json:"name" minLength:"1" maxLength:"500" pattern:"^[^\\p{Cc}]*\\S[^\\p{Cc}]*$" patternDescription:"a name, without control characters"`
	Slug        string     `json:"slug,omitempty" maxLength:"200" pattern:"^([a-z0-9]+(-[a-z0-9]+)*)?$" patternDescription:"words of a-z and 0-9 joined by hyphens" doc:"Derived from the name when absent"`
	Description string     `json:"description,omitempty" maxLength:"20000"`
	Brand       string     `json:"brand,omitempty" maxLength:"200" pattern:"^[^\\p{Cc}]*$" patternDescription:"without control characters"`
	Category    string     `json:"category,omitempty" maxLength:"500" pattern:"^([^/\\p{Cc}]+(/[^/\\p{Cc}]+)*)?$" patternDescription:"a path such as a/b/c" doc:"A path: a/b/c"`
	Price       int64      `json:"price" minimum:"0" maximum:"1000000000000" doc:"Minor units (cents)"`
	Currency    string     `json:"currency,omitempty" pattern:"^[A-Z]{3}$" patternDescription:"an ISO 4217 code such as USD" doc:"USD when absent"`
	ImageURL    string     `json:"image_url,omitempty" maxLength:"2000" pattern:"^((https?://|/)[^\\s\\p{Cc}]*)?$" patternDescription:"an http or https URL, or a path"`
	Rating      float64    `json:"rating,omitempty" minimum:"0" maximum:"5"`
	RatingCount int64      `json:"rating_count,omitempty" minimum:"0" maximum:"1000000000000"`
	Popularity  int64      `json:"popularity,omitempty" minimum:"0" maximum:"1000000000000" doc:"Larger is more popular; orders the popular sort"`
	Attributes  jsonObject `json:"attributes,omitempty" doc:"Free JSON object"`
}

func (f ProductFields) toShop() shop.NewProduct {
	return shop.NewProduct{SKU: f.SKU, Name: f.Name, Slug: f.Slug, Description: f.Description, Brand: f.Brand,
		Category: f.Category, Price: f.Price, Currency: f.Currency, ImageURL: f.ImageURL, Rating: f.Rating,
		RatingCount: f.RatingCount, Popularity: f.Popularity, Attributes: json.RawMessage(f.Attributes)}
}

type createInput struct {
	ProductFields
	Stock *int64 `json:"stock,omitempty" minimum:"0" maximum:"1000000000" doc:"Units to sell, set right after the product was made"`
}

// replaceInput also takes what GET gave, so that a product can be read, edited and put back; only id is looked at.
type replaceInput struct {
	ProductFields
	ID           int64     `json:"id,omitempty" readOnly:"true" doc:"Must be the id in the path, when present"`
	Availability string    `json:"availability,omitempty" readOnly:"true" doc:"Ignored"`
	Version      int64     `json:"version,omitempty" readOnly:"true" doc:"Ignored: use If-Match"`
	CreatedAt    time.Time `json:"created_at,omitempty" readOnly:"true" doc:"Ignored"`
	UpdatedAt    time.Time `json:"updated_at,omitempty" readOnly:"true" doc:"Ignored"`
}

type batchInput struct {
	IDs    []int64  `json:"ids" maxItems:"100" nullable:"false"`
	Fields []string `json:"fields,omitempty" maxItems:"50" nullable:"false" doc:"Fields to return; all when absent"`
}

type stockInput struct {
	Available int64 `json:"available" minimum:"0" maximum:"1000000000" doc:"Units free to sell, whatever is held by checkouts"`
}

type addInput struct {
	ProductID int64  `json:"product_id" minimum:"1"`
	Quantity  *int64 `json:"quantity,omitempty" minimum:"1" maximum:"1000" default:"1"`
}

type quantityInput struct {
	Quantity int64 `json:"quantity" minimum:"0" maximum:"1000" doc:"0 removes the line"`
}

type checkoutInput struct {
	Payment         *paymentInput `json:"payment,omitempty"`
	ShippingAddress *addressInput `json:"shipping_address,omitempty"`
}

type paymentInput struct {
	Method  string `json:"method,omitempty" maxLength:"50" doc:"The shop's payment provider when absent"`
	Outcome string `json:"outcome,omitempty" enum:"approve,decline,timeout,late" doc:"For the method test only: what is to happen"`
}

// addressInput is a free object whose usual members must be strings.
type addressInput json.RawMessage

// Schema implements huma.SchemaProvider.
func (addressInput) Schema(huma.Registry) *huma.Schema {
	longest := 500
	s := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Properties: map[string]*huma.Schema{},
		Description: "Where to: any JSON object of at most 16 KiB; the members named here are strings"}
	for _, name := range []string{"name", "company", "line1", "line2", "street", "city", "region", "state", "postal_code", "country", "phone"} {
		s.Properties[name] = &huma.Schema{Type: huma.TypeString, Nullable: true, MaxLength: &longest}
	}
	return s
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *addressInput) UnmarshalJSON(b []byte) error { return (*json.RawMessage)(o).UnmarshalJSON(b) }

type registerInput struct {
	Email    string `json:"email" minLength:"1" maxLength:"254" format:"email"`
	Password string `json:"password" minLength:"8" maxLength:"200" format:"password"`
	Name     string `json:"name,omitempty" maxLength:"200"`
}

type loginInput struct {
	Email    string `json:"email" minLength:"1" maxLength:"254" format:"email"`
	Password string `json:"password" minLength:"1" maxLength:"200" format:"password"`
}

type profileInput struct {
	Email           *string `json:"email,omitempty" minLength:"1" maxLength:"254" format:"email" doc:"Needs current_password"`
	Name            *string `json:"name,omitempty" maxLength:"200"`
	Password        *string `json:"password,omitempty" minLength:"8" maxLength:"200" format:"password" doc:"Needs current_password"`
	CurrentPassword *string `json:"current_password,omitempty" maxLength:"200" format:"password"`
}
