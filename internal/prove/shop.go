package prove

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// category and prefix mark the products that were made for a proof.
const (
	category = "Proving ground"
	prefix   = "PROVE-"
)

// answerLimit bounds how long one call may take, and what is read of its answer.
const (
	callLimit   = 15 * time.Second
	answerBytes = 8 << 20
)

// shop speaks the shop's API, as administrator or as a shopper.
type shop struct {
	base, token string
	http        *http.Client
}

func newShop(base, token string, transport http.RoundTripper) *shop {
	return &shop{strings.TrimRight(base, "/"), token, &http.Client{Transport: transport, Timeout: callLimit}}
}

// item is a product, as far as we look at it.
type item struct {
	ID       int64  `json:"id"`
	SKU      string `json:"sku"`
	Category string `json:"category"`
}

// order as the shop shows it.
type order struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Items  []struct {
		ProductID int64 `json:"product_id"`
		Quantity  int64 `json:"quantity"`
	} `json:"items"`
}

func (o order) units(product int64) (n int64) {
	for _, i := range o.Items {
		if i.ProductID == product {
			n += i.Quantity
		}
	}
	return n
}

const statusConfirmed = "confirmed"

// call makes one request; cookie "" is an administrator's. Answers of 400 and more are errors, save those in fine.
func (s *shop) call(ctx context.Context, method, path, cookie string, in, out any, fine ...int) (http.Header, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	} else if method != http.MethodGet {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, answerBytes))
	if err != nil {
		return nil, err
	}
	for _, status := range fine {
		if res.StatusCode == status {
			return res.Header, nil
		}
	}
	if res.StatusCode >= 400 {
		return nil, fmt.Errorf("%s %s: %s: %.200s", method, path, res.Status, raw)
	}
	if out == nil {
		return res.Header, nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return res.Header, nil
}

// create makes a product with so many units.
func (s *shop) create(ctx context.Context, sku, name string, units int64) (int64, error) {
	var made item
	in := map[string]any{"sku": sku, "name": name, "category": category, "price": 100, "description": "Made by stampede prove, which deletes it again."}
	if _, err := s.call(ctx, http.MethodPost, "/products", "", in, &made); err != nil {
		return 0, err
	}
	return made.ID, s.restock(ctx, made.ID, units)
}

func (s *shop) restock(ctx context.Context, product, units int64) error {
	_, err := s.call(ctx, http.MethodPut, fmt.Sprintf("/products/%d/stock", product), "", map[string]any{"available": units}, nil)
	return err
}

func (s *shop) available(ctx context.Context, product int64) (int64, error) {
	var stock struct {
		Available int64 `json:"available"`
	}
	_, err := s.call(ctx, http.MethodGet, fmt.Sprintf("/products/%d/stock", product), "", nil, &stock)
	return stock.Available, err
}

func (s *shop) remove(ctx context.Context, product int64) error {
	_, err := s.call(ctx, http.MethodDelete, fmt.Sprintf("/products/%d", product), "", nil, nil, http.StatusNotFound)
	return err
}

// leftovers are the products that a proof which was killed has left.
func (s *shop) leftovers(ctx context.Context) (ids []int64, err error) {
	err = s.pages(ctx, "/products?limit=100&category="+url.QueryEscape(category), "", 20, func(raw json.RawMessage) error {
		var list []item
		err := json.Unmarshal(raw, &list)
		for _, i := range list {
			if strings.HasPrefix(i.SKU, prefix) {
				ids = append(ids, i.ID)
			}
		}
		return err
	})
	return ids, err
}

// products are ids of the shop's products, popular ones first.
func (s *shop) products(ctx context.Context, most int) (ids []int64, err error) {
	err = s.pages(ctx, "/products?limit=100", "", (most+99)/100, func(raw json.RawMessage) error {
		var list []item
		err := json.Unmarshal(raw, &list)
		for _, i := range list {
			if i.Category != category {
				ids = append(ids, i.ID)
			}
		}
		return err
	})
	return ids[:min(len(ids), most)], err
}

// orders are all orders of a shopper.
func (s *shop) orders(ctx context.Context, cookie string) (list []order, err error) {
	err = s.pages(ctx, "/orders?limit=100", cookie, 100, func(raw json.RawMessage) error {
		var page []order
		err := json.Unmarshal(raw, &page)
		list = append(list, page...)
		return err
	})
	return list, err
}

// pages reads a list page by page.
func (s *shop) pages(ctx context.Context, path, cookie string, most int, take func(json.RawMessage) error) error {
	for at := path; most > 0; most-- {
		var page json.RawMessage
		header, err := s.call(ctx, http.MethodGet, at, cookie, nil, &page)
		if err == nil {
			err = take(page)
		}
		next := ""
		if err == nil {
			next = header.Get("X-Next-Cursor")
		}
		if next == "" {
			return err
		}
		at = path + "&cursor=" + url.QueryEscape(next)
	}
	return nil
}

// each calls f for all of a list, a few at a time, and returns the first error.
func each[T any](ctx context.Context, list []T, f func(context.Context, T) error) error {
	const workers = 16
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan T)
	var wg sync.WaitGroup
	for range min(workers, len(list)) {
		wg.Go(func() {
			for v := range work {
				if err := f(ctx, v); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, v := range list {
		if ctx.Err() != nil {
			break
		}
		work <- v
	}
	close(work)
	wg.Wait()
	return context.Cause(ctx)
}
