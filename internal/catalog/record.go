package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Bad says what is wrong with one record of a file. Field is empty when the record cannot be read at all.
type Bad struct {
	Line   int    // the line it begins on, from 1
	SKU    string // when known
	Field  string
	Reason string
}

func (b Bad) Error() string {
	if b.Field == "" {
		return fmt.Sprintf("line %d: %s", b.Line, b.Reason)
	}
	return fmt.Sprintf("line %d: %s: %s", b.Line, b.Field, b.Reason)
}

// cell is one value of a record: text, where json tells a JSON document (the raw form) from the text of a CSV cell.
type cell struct {
	text string
	json bool
}

// absent values count as not given: null, or nothing between two commas.
func (c cell) absent() bool {
	return c.json && c.text == "null" || !c.json && strings.TrimSpace(c.text) == ""
}

func (c cell) str() (string, error) {
	if !c.json {
		return c.text, nil
	}
	if !utf8.ValidString(c.text) { // encoding/json would put a replacement character there
		return "", errors.New("must be valid UTF-8")
	}
	var s string
	if json.Unmarshal([]byte(c.text), &s) != nil {
		return "", errors.New("must be a text")
	}
	return s, nil
}

// line is the text of a field of one line, mended.
func (c cell) line() (string, error) {
	s, err := c.str()
	return tidy(s), err
}

// number is the text of a number, which JSON may also give as a text.
func (c cell) number() string {
	if s, err := c.str(); err == nil {
		return s
	}
	return c.text
}

func (c cell) decimal(places int) (int64, error) {
	n, err := parseDecimal(c.number(), places)
	if errors.Is(err, errTooFine) {
		if places == 0 {
			return 0, errors.New("must be a whole number")
		}
		return 0, errors.New("is finer than a cent")
	}
	return n, err
}

var required = []string{"sku", "name", "price"}

// setters put the value of a field into an item.
var setters = map[string]func(*shop.CatalogItem, cell) error{
	"sku": func(i *shop.CatalogItem, c cell) (err error) {
		if i.Product.SKU, err = c.str(); err != nil && strings.Trim(c.text, "0123456789") == "" {
			i.Product.SKU, err = c.text, nil // a number, as spreadsheets like to make of it
		}
		return err
	},
	"name":         func(i *shop.CatalogItem, c cell) (err error) { i.Product.Name, err = c.line(); return err },
	"slug":         func(i *shop.CatalogItem, c cell) (err error) { i.Product.Slug, err = c.str(); return err },
	"description":  func(i *shop.CatalogItem, c cell) (err error) { i.Product.Description, err = c.str(); return err },
	"brand":        func(i *shop.CatalogItem, c cell) (err error) { i.Product.Brand, err = c.line(); return err },
	"category":     func(i *shop.CatalogItem, c cell) (err error) { i.Product.Category, err = c.line(); return err },
	"currency":     func(i *shop.CatalogItem, c cell) (err error) { i.Product.Currency, err = c.str(); return err },
	"image_url":    func(i *shop.CatalogItem, c cell) (err error) { i.Product.ImageURL, err = c.str(); return err },
	"price":        func(i *shop.CatalogItem, c cell) (err error) { i.Product.Price, err = c.decimal(2); return err },
	"popularity":   func(i *shop.CatalogItem, c cell) (err error) { i.Product.Popularity, err = c.decimal(0); return err },
	"rating_count": func(i *shop.CatalogItem, c cell) (err error) { i.Product.RatingCount, err = c.decimal(0); return err },
	"stock":        func(i *shop.CatalogItem, c cell) (err error) { i.Stock, err = c.decimal(0); return err },
	"rating": func(i *shop.CatalogItem, c cell) (err error) {
		if i.Product.Rating, err = strconv.ParseFloat(strings.TrimSpace(c.number()), 64); err != nil {
			err = errNotNumber
		}
		return err
	},
	"attributes": func(i *shop.CatalogItem, c cell) error {
		if text := strings.TrimSpace(c.text); strings.HasPrefix(text, "{") && json.Valid([]byte(text)) {
			i.Product.Attributes = json.RawMessage(text)
			return nil
		}
		return errors.New("must be a JSON object")
	},
}

// build makes an item of named cells. Names are looked at in the order given, so that reports are always the same.
func build(line int, names []string, value func(name string) cell, stock int64) (shop.CatalogItem, []string, error) {
	item := shop.CatalogItem{Line: line, Stock: stock}
	bad := Bad{Line: line}
	given := map[string]bool{}
	var unknown []string
	for _, name := range names {
		set, known := setters[name]
		if !known {
			unknown = append(unknown, name)
			continue
		}
		c := value(name)
		if c.absent() {
			continue
		}
		given[name] = true
		if err := set(&item, c); err != nil && bad.Field == "" {
			bad.Field, bad.Reason = name, err.Error()
		}
	}
	for _, name := range required {
		if !given[name] && bad.Field == "" {
			bad.Field, bad.Reason = name, "is missing"
		}
	}
	if item.Stock < 0 && bad.Field == "" {
		bad.Field, bad.Reason = "stock", "must not be negative"
	}
	if bad.Field == "" {
		item.Product, bad = checked(item.Product, bad)
	}
	bad.SKU = item.Product.SKU
	if bad.Field != "" {
		return item, unknown, bad
	}
	return item, unknown, nil
}

func checked(p shop.NewProduct, bad Bad) (shop.NewProduct, Bad) {
	p, err := p.Checked()
	var e *shop.Error
	if errors.As(err, &e) && len(e.Fields) > 0 {
		bad.Field, bad.Reason = e.Fields[0].Field, e.Fields[0].Message
	}
	return p, bad
}
