package shop

import (
	"bytes"
	"context"
	"encoding/json"
)

// AttributePurchaseLimit is the attribute of a product that says how many units one shopper may buy, over all orders that were
// not cancelled. 0 is no limit.
const AttributePurchaseLimit = "purchase_limit"

// PurchaseLimit is how many units of a product one shopper may buy: what the product says, or else the shop's own limit; 0
// is no limit.
func PurchaseLimit(p Product, others int64) int64 {
	if !bytes.Contains(p.Attributes, []byte(`"`+AttributePurchaseLimit+`"`)) {
		return others
	}
	var own struct {
		Limit *int64 `json:"purchase_limit"`
	}
	if json.Unmarshal(p.Attributes, &own) != nil || own.Limit == nil || *own.Limit < 0 {
		return others
	}
	return *own.Limit
}

// limitPages bounds how far back a shopper's orders are looked through, in pages of a hundred.
const limitPages = 10

// checkLimits refuses to sell a shopper more than one may buy. orderID is the checkout under way, if it is recorded: a shopper
// has one at a time, and what was bought before is in their orders, so that two at once cannot both pass.
func (s *Checkouts) checkLimits(ctx context.Context, userID, orderID string, lines []Line, products map[int64]Product) error {
	left := map[int64]int64{}
	for _, l := range lines {
		if n := PurchaseLimit(products[l.ProductID], s.PurchaseLimit); n > 0 {
			left[l.ProductID] = n
		}
	}
	if len(left) == 0 {
		return nil
	}
	if err := s.subtractBought(ctx, userID, orderID, left); err != nil {
		return err
	}
	var over []LineError
	for _, l := range lines {
		if n, limited := left[l.ProductID]; limited && l.Quantity > n {
			over = append(over, LineError{ProductID: l.ProductID, Name: l.Name, Requested: l.Quantity, Available: max(0, n)})
		}
	}
	if len(over) == 0 {
		return nil
	}
	return &Error{Code: CodePurchaseLimit, Lines: over,
		Detail: "each shopper may buy only so many of some products; lines says how many you may still buy: set these quantities in the cart, or remove the lines"}
}

// subtractBought takes off what the shopper bought, or is buying.
func (s *Checkouts) subtractBought(ctx context.Context, userID, orderID string, left map[int64]int64) error {
	cursor := ""
	for range limitPages {
		page, err := s.Orders.Orders(ctx, userID, 100, cursor)
		if err != nil {
			return err
		}
		for _, o := range page.Orders {
			if o.ID == orderID || o.Status != OrderConfirmed && o.Status != OrderPending {
				continue
			}
			for _, l := range o.Items {
				if _, limited := left[l.ProductID]; limited {
					left[l.ProductID] -= l.Quantity
				}
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	return nil
}
