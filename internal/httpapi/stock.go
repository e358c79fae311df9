package httpapi

import (
	"net/http"

	"github.com/stampede-shop/stampede/internal/shop"
)

// stockAnswer is how many units of a product are free to sell.
type stockAnswer struct {
	ProductID int64 `json:"product_id"`
	Available int64 `json:"available"`
}

func (a *api) stockRoutes() []route {
	return []route{
		{method: "GET", path: "/products/{id}/stock", id: "getStock", summary: "Units left", text: "Never older than a second.",
			params: []param{ifNoneMatch}, answers: []answer{{status: 200, doc: "Units left", body: stockAnswer{}, headers: []string{"ETag"}}, notModified},
			handle: a.getStock},
		{method: "PUT", path: "/products/{id}/stock", id: "setStock", summary: "Set the units left", access: admin, body: bodyOf[stockInput](),
			answers: []answer{{status: 200, doc: "As it now is", body: stockAnswer{}}}, handle: a.setStock},
	}
}

func (a *api) getStock(c *call) error {
	p, err := a.stockProduct(c)
	if err != nil {
		return err
	}
	units, err := a.StockReader.Available(c.ctx(), []int64{p.ID})
	if err != nil {
		return err
	}
	c.dated(a.Now())
	body := encode(stockAnswer{ProductID: p.ID, Available: units[p.ID]})
	return c.public(newRepresentation(body, 0, productKey(p.ID)+" "+stockKey(p.ID)), keepSecond)
}

// stockProduct makes sure that the product exists: one without a stock row has 0 units, an unknown one has none.
func (a *api) stockProduct(c *call) (shop.Product, error) {
	id, err := c.id("id", "product")
	if err != nil {
		return shop.Product{}, err
	}
	return a.Products.Product(c.ctx(), id)
}

func (a *api) setStock(c *call) error {
	in, err := decode[stockInput](c)
	if err != nil {
		return err
	}
	p, err := a.stockProduct(c)
	if err != nil {
		return err
	}
	if err := a.Stock.SetAvailable(c.ctx(), actor, p.ID, in.Available); err != nil {
		return err
	}
	return c.json(http.StatusOK, stockAnswer{ProductID: p.ID, Available: in.Available})
}
