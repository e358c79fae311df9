package httpapi

import (
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"github.com/stampede-shop/stampede/internal/shop"
)

func (a *api) orderRoutes() []route {
	page := intSchema(1, 100)
	page.Default = 20
	return []route{
		{method: "GET", path: "/orders", id: "listOrders", summary: "The shopper's own orders, newest first", access: shopper,
			params:  []param{query("limit", "Orders a page", page), query("cursor", "From X-Next-Cursor or Link", textSchema(maxCursor))},
			answers: []answer{{status: 200, doc: "The orders", body: shop.Order{}, list: true, headers: []string{"Link", "X-Next-Cursor"}}},
			handle:  a.listOrders},
		{method: "GET", path: "/orders/{id}", id: "getOrder", summary: "One of the shopper's own orders", access: shopper,
			answers: []answer{{status: 200, doc: "The order", body: shop.Order{}}}, handle: a.getOrder},
		{method: "POST", path: "/orders/{id}/cancel", id: "cancelOrder", summary: "Cancel an order: money and stock go back, once",
			text: "Cancelling again answers with the cancelled order.", access: shopper, deadline: checkoutDeadline,
			answers: []answer{{status: 200, doc: "The cancelled order", body: shop.Order{}}},
			codes:   []shop.Code{shop.CodeNotCancellable, shop.CodeConflict}, handle: a.cancelOrder},
	}
}

// tidyOrder puts an order into the form that is shown.
func tidyOrder(o shop.Order) shop.Order {
	o.CreatedAt, o.UpdatedAt = o.CreatedAt.UTC(), o.UpdatedAt.UTC()
	if o.Items == nil {
		o.Items = []shop.Line{}
	}
	if string(o.ShippingAddress) == "null" {
		o.ShippingAddress = nil
	}
	return o
}

func (a *api) listOrders(c *call) error {
	q, err := parseQuery(c.r)
	if err != nil {
		return err
	}
	limit, cursor := int(q.int("limit", 1, 100, 20)), q.text("cursor", maxCursor)
	if err := q.err(); err != nil {
		return err
	}
	page, err := a.Orders.Orders(c.ctx(), c.session.UserID, limit, cursor)
	if err != nil {
		return err
	}
	orders := make([]shop.Order, len(page.Orders))
	for i, o := range page.Orders {
		orders[i] = tidyOrder(o)
	}
	c.nextLink(q, page.Next)
	return c.json(http.StatusOK, orders)
}

// orderID reads the order's id; what is not a UUID cannot be one.
func (c *call) orderID() (string, error) {
	raw := c.r.PathValue("id")
	id, err := uuid.Parse(raw)
	if err != nil || len(raw) != 36 {
		return "", shop.NotFound("order", strconv.Quote(cut(raw)))
	}
	return id.String(), nil
}

func (a *api) getOrder(c *call) error {
	id, err := c.orderID()
	if err != nil {
		return err
	}
	o, err := a.Orders.Order(c.ctx(), c.session.UserID, id)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, tidyOrder(o))
}

func (a *api) cancelOrder(c *call) error {
	id, err := c.orderID()
	if err != nil {
		return err
	}
	o, err := a.Checkouts.Cancel(c.ctx(), c.session.UserID, id)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, tidyOrder(o))
}
