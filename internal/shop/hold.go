package shop

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// HeaderHold is how the edge names products that a shopper has to wait for in a waiting room: their numbers, joined by
// commas. It never comes from outside.
const HeaderHold = "Stampede-Hold"

// Held is CodeWaitingRoom when one of the products is in the list that HeaderHold brought, else nil.
func Held(list string, ids ...int64) error {
	if list == "" {
		return nil
	}
	for part := range strings.SplitSeq(list, ",") {
		for _, id := range ids {
			if part == strconv.FormatInt(id, 10) {
				e := Errorf(CodeWaitingRoom, "product %d is sold by the waiting room: get a place with GET /queue and ask again once you are admitted", id)
				e.RetryAfter = 2 * time.Second
				return e
			}
		}
	}
	return nil
}

// checkHold refuses to sell what the shopper still has to wait for, however it came into the cart.
func (s *Checkouts) checkHold(ctx context.Context, req CheckoutRequest) error {
	if req.Hold == "" {
		return nil
	}
	cart, err := s.Carts.Cart(ctx, req.UserID)
	if err != nil {
		return err
	}
	return Held(req.Hold, lineIDs(cart.Items)...)
}
