package postgres

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/stampede-shop/stampede/internal/shop"
)

// patchFields are the names a patch may use: those of shop.NewProduct.
var patchFields = []string{"sku", "name", "slug", "description", "brand", "category", "price", "currency", "image_url",
	"rating", "rating_count", "popularity", "attributes"}

// parsePatch reads a merge patch. Numbers stay as they were written.
func parsePatch(raw json.RawMessage) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, &shop.Error{Code: shop.CodeMalformed, Detail: "the patch is not JSON", Err: err}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, &shop.Error{Code: shop.CodeMalformed, Detail: "the patch must be one JSON object and nothing after it"}
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, shop.Errorf(shop.CodeInvalid, "the patch must be a JSON object with the fields to change")
	}
	for name := range fields {
		if !slices.Contains(patchFields, name) {
			return nil, shop.Invalid(name, "is not a field that can be changed")
		}
	}
	if a, given := fields["attributes"]; given && a != nil {
		if _, ok := a.(map[string]any); !ok {
			return nil, shop.Invalid("attributes", "must be a JSON object")
		}
	}
	return fields, nil
}

// applyPatch merges fields into p; null takes a field back to its default.
func applyPatch(p shop.NewProduct, fields map[string]any) (shop.NewProduct, error) {
	for _, name := range patchFields { // in this order, so that the first complaint is always the same one
		v, given := fields[name]
		if !given {
			continue
		}
		if name == "attributes" {
			merged, err := mergeAttributes(p.Attributes, v)
			if err != nil {
				return p, err
			}
			v = merged
		}
		one, err := json.Marshal(map[string]any{name: v})
		if err != nil {
			return p, err
		}
		if v == nil && name == "price" { // its default would give the product away
			return p, shop.Invalid(name, "is required")
		}
		if v == nil {
			clearField(&p, name)
		} else if err := json.Unmarshal(one, &p); err != nil {
			return p, shop.Invalid(name, "has the wrong type")
		}
	}
	return p, nil
}

func clearField(p *shop.NewProduct, name string) {
	text := map[string]*string{"sku": &p.SKU, "name": &p.Name, "slug": &p.Slug, "description": &p.Description,
		"brand": &p.Brand, "category": &p.Category, "currency": &p.Currency, "image_url": &p.ImageURL}
	number := map[string]*int64{"price": &p.Price, "rating_count": &p.RatingCount, "popularity": &p.Popularity}
	switch {
	case text[name] != nil:
		*text[name] = ""
	case number[name] != nil:
		*number[name] = 0
	case name == "rating":
		p.Rating = 0
	case name == "attributes":
		p.Attributes = nil
	}
}

func mergeAttributes(old json.RawMessage, patch any) (any, error) {
	if patch == nil {
		return nil, nil
	}
	var target any
	if len(old) > 0 {
		d := json.NewDecoder(bytes.NewReader(old))
		d.UseNumber()
		if err := d.Decode(&target); err != nil {
			return nil, err
		}
	}
	return mergePatch(target, patch), nil
}

// mergePatch is the algorithm of RFC 7396, section 2.
func mergePatch(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	result, ok := target.(map[string]any)
	if !ok {
		result = map[string]any{}
	}
	for name, v := range changes {
		if v == nil {
			delete(result, name)
		} else {
			result[name] = mergePatch(result[name], v)
		}
	}
	return result
}
