package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/stampede-shop/stampede/internal/shop"
)

// actor is who an edit is recorded under.
const actor = "admin"

func (a *api) productAdminRoutes() []route {
	etag := []string{"ETag"}
	edited := []answer{{status: 200, doc: "The product as it now is", body: shop.Product{}, headers: etag}}
	codes := []shop.Code{shop.CodePreconditionFailed, shop.CodeSKUTaken, shop.CodeConflict, shop.CodeMalformed}
	patch := bodyOf[ProductFields]()
	patch.patch = true
	return []route{
		{method: "POST", path: "/products", id: "createProduct", summary: "Add a product", access: admin, body: bodyOf[createInput](),
			answers: []answer{{status: 201, doc: "The new product", body: shop.Product{}, headers: []string{"ETag", "Location"}}},
			codes:   []shop.Code{shop.CodeSKUTaken, shop.CodeConflict}, handle: a.createProduct},
		{method: "PUT", path: "/products/{id}", id: "replaceProduct", summary: "Replace a product", access: admin, body: bodyOf[replaceInput](),
			text:   "Answers when the old version is gone from every cache.",
			params: []param{ifMatch}, answers: edited, codes: codes, handle: a.replaceProduct},
		{method: "PATCH", path: "/products/{id}", id: "patchProduct", summary: "Change some fields of a product (RFC 7396)", access: admin,
			text: "Answers when the old version is gone from every cache.", body: patch,
			params: []param{ifMatch}, answers: edited, codes: codes, handle: a.patchProduct},
		{method: "DELETE", path: "/products/{id}", id: "deleteProduct", summary: "Remove a product", access: admin,
			text:   "Answers when it is gone from every cache.",
			params: []param{ifMatch}, answers: []answer{{status: 204, doc: "It is gone"}}, codes: codes, handle: a.deleteProduct},
	}
}

// authorize compares hashes, so that neither content nor length of the token shows in the time taken.
func (a *api) authorize(c *call) error {
	scheme, token, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	given, want := sha256.Sum256([]byte(strings.TrimSpace(token))), sha256.Sum256([]byte(a.AdminToken))
	same := subtle.ConstantTimeCompare(given[:], want[:]) == 1
	if strings.EqualFold(scheme, "Bearer") && same && a.AdminToken != "" {
		return nil
	}
	if scheme == "" {
		c.w.Header().Set("WWW-Authenticate", `Bearer realm="stampede"`)
		return shop.Errorf(shop.CodeUnauthorized, "this is for administrators: send Authorization: Bearer and the administrator's token")
	}
	c.w.Header().Set("WWW-Authenticate", `Bearer realm="stampede", error="invalid_token"`)
	return shop.Errorf(shop.CodeUnauthorized, "this is not the administrator's token")
}

func (a *api) createProduct(c *call) error {
	in, err := decode[createInput](c)
	if err != nil {
		return err
	}
	p, err := a.Catalog.CreateProduct(c.ctx(), actor, in.toShop())
	if err != nil {
		return err
	}
	if in.Stock != nil {
		if err := a.Stock.SetAvailable(c.ctx(), actor, p.ID, *in.Stock); err != nil {
			return &shop.Error{Code: shop.CodeUnavailable, Err: err, Detail: "the product was made as " +
				strconv.FormatInt(p.ID, 10) + " but its stock could not be set: PUT /products/" + strconv.FormatInt(p.ID, 10) + "/stock"}
		}
		p.Availability = shop.AvailabilityOf(*in.Stock) // the catalogue follows in a moment
	}
	c.w.Header().Set("Location", "/products/"+strconv.FormatInt(p.ID, 10))
	return c.edited(http.StatusCreated, p)
}

// edited answers with a product and the validator that the next edit needs.
func (c *call) edited(status int, p shop.Product) error {
	e, err := shop.EncodeProduct(p)
	if err != nil {
		return err
	}
	rep := productRepresentation(e, 0)
	h := c.w.Header()
	h["Etag"], h["Cache-Control"] = rep.plain.etag, cachePrivate
	return c.write(status, rep.body)
}

// ifVersion is the version that If-Match demands, 0 for any. Of several, the present one is chosen.
func (a *api) ifVersion(c *call, id int64) (int64, error) {
	versions, any, err := precondition(c.r)
	if err != nil || any {
		return 0, err
	}
	if len(versions) == 1 {
		return versions[0], nil
	}
	p, err := a.Products.Product(c.ctx(), id)
	if err != nil {
		return 0, err
	}
	for _, v := range versions {
		if v == p.Version {
			return v, nil
		}
	}
	return 0, errOldVersion()
}

func (a *api) replaceProduct(c *call) error {
	return a.change(c, func(id, version int64) (shop.Product, error) {
		in, err := decode[replaceInput](c)
		if err != nil {
			return shop.Product{}, err
		}
		if in.ID != 0 && in.ID != id {
			return shop.Product{}, shop.Invalid("id", "is not the id in the path: leave it out")
		}
		return a.Catalog.ReplaceProduct(c.ctx(), actor, id, in.toShop(), version)
	})
}

func (a *api) patchProduct(c *call) error {
	return a.change(c, func(id, version int64) (shop.Product, error) {
		return a.Catalog.PatchProduct(c.ctx(), actor, id, json.RawMessage(c.body), version)
	})
}

// change is what all edits of a product have in common: which one, at which version, and the answer.
func (a *api) change(c *call, edit func(id, version int64) (shop.Product, error)) error {
	id, version, err := a.target(c)
	if err != nil {
		return err
	}
	p, err := edit(id, version)
	if err != nil {
		return err
	}
	return c.edited(http.StatusOK, p)
}

// target is the product that a call is about, and the version that it must have, 0 for any.
func (a *api) target(c *call) (id, version int64, err error) {
	if id, err = c.id("id", "product"); err != nil {
		return 0, 0, err
	}
	version, err = a.ifVersion(c, id)
	return id, version, err
}

func (a *api) deleteProduct(c *call) error {
	id, version, err := a.target(c)
	if err != nil {
		return err
	}
	if err := a.Catalog.DeleteProduct(c.ctx(), actor, id, version); err != nil {
		return err
	}
	c.w.Header()["Cache-Control"] = cachePrivate
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
