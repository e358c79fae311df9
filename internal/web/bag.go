package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/stampede-shop/stampede/internal/shop"
)

// opHeader is stamped by the edge on every request, the same on a retry, so that an edit sent twice happens once.
const opHeader = "Stampede-Op"

func (s *site) op(r *http.Request) string {
	if op := r.Header.Get(opHeader); op != "" && len(op) <= 128 {
		return op
	}
	return s.NewID()
}

// bagLine is a cart line with what the catalogue and the stock say about it now. Left is -1 when not known.
type bagLine struct {
	shop.Line
	Product shop.Product
	Left    int64
	Gone    bool // no longer sold
}

// Short tells that the line asks for more than there is.
func (l bagLine) Short() bool { return l.Left >= 0 && l.Left < l.Quantity }

// bagBody is the bag page's own part.
type bagBody struct {
	Cart    shop.Cart
	Lines   []bagLine
	Notice  *notice
	TestPay bool // the test provider is in use: its outcome can be chosen
}

func (s *site) bag(w http.ResponseWriter, r *http.Request) error {
	session, found, err := s.Sessions.Load(r)
	if err != nil {
		return err
	}
	var cart shop.Cart
	if found {
		if cart, err = s.Carts.Cart(r.Context(), session.UserID); err != nil {
			return err
		}
	}
	return s.showBag(w, r, http.StatusOK, cart, addedNotice(r, cart))
}

// addedNotice confirms what /bag/add has just put into the cart.
func addedNotice(r *http.Request, cart shop.Cart) *notice {
	id, err := strconv.ParseInt(r.URL.Query().Get("added"), 10, 64)
	if err != nil {
		return nil
	}
	for _, l := range cart.Items {
		if l.ProductID == id {
			return &notice{Text: l.Name + " is in your bag."}
		}
	}
	return nil
}

func (s *site) showBag(w http.ResponseWriter, r *http.Request, status int, cart shop.Cart, n *notice) error {
	b := bagBody{Cart: cart, Lines: s.bagLines(r.Context(), cart), Notice: n}
	b.TestPay = s.Checkouts.Pay != nil && s.Checkouts.Pay.Name() == "test"
	return s.render(w, r, status, "bag", page{Title: "Your bag", Body: b})
}

// bagLines looks the lines up. A bag is shown without pictures and stock rather than not at all.
func (s *site) bagLines(ctx context.Context, cart shop.Cart) []bagLine {
	ids := make([]int64, len(cart.Items))
	lines := make([]bagLine, len(cart.Items))
	for i, l := range cart.Items {
		ids[i] = l.ProductID
		lines[i] = bagLine{Line: l, Left: -1, Product: shop.Product{ID: l.ProductID, Name: l.Name}}
	}
	if len(ids) == 0 {
		return nil
	}
	products, err := s.Products.Products(ctx, ids)
	byID := make(map[int64]shop.Product, len(products))
	for _, p := range products {
		byID[p.ID] = p
	}
	left, stockErr := s.StockReader.Available(ctx, ids)
	if e := errors.Join(err, stockErr); e != nil {
		s.Log.WarnContext(ctx, "bag shown without catalogue or stock", "error", e)
	}
	for i := range lines {
		if p, ok := byID[ids[i]]; ok {
			lines[i].Product = p
		} else {
			lines[i].Gone = err == nil
		}
		if stockErr == nil {
			lines[i].Left = left[ids[i]]
		}
	}
	return lines
}

func (s *site) bagAdd(w http.ResponseWriter, r *http.Request) error {
	id, quantity, err := lineForm(r, 1)
	if err == nil {
		err = shop.Held(r.Header.Get(shop.HeaderHold), id)
	}
	if err != nil {
		return err
	}
	p, err := s.Products.Product(r.Context(), id)
	if err != nil {
		return err
	}
	session, err := s.Sessions.Ensure(w, r)
	if err != nil {
		return err
	}
	if _, err := s.Carts.AddLine(r.Context(), session.UserID, s.op(r), shop.LineOf(p, quantity), p.Currency); err != nil {
		return s.bagError(w, r, session.UserID, err)
	}
	http.Redirect(w, r, "/bag?added="+strconv.FormatInt(id, 10), http.StatusSeeOther)
	return nil
}

func (s *site) bagUpdate(w http.ResponseWriter, r *http.Request) error {
	id, quantity, err := lineForm(r, 0)
	if err != nil {
		return err
	}
	session, found, err := s.Sessions.Load(r)
	if err != nil {
		return err
	}
	if found {
		_, err = s.Carts.SetQuantity(r.Context(), session.UserID, s.op(r), id, quantity)
		if err != nil && shop.CodeOf(err) != shop.CodeNotFound { // a line that is gone already is shown as gone
			return s.bagError(w, r, session.UserID, err)
		}
	}
	http.Redirect(w, r, "/bag", http.StatusSeeOther)
	return nil
}

// bagError shows the bag with what the shop said about it; errors that are not the shopper's go up.
func (s *site) bagError(w http.ResponseWriter, r *http.Request, userID string, err error) error {
	e := known(err)
	if e == nil {
		return err
	}
	cart, cartErr := s.Carts.Cart(r.Context(), userID)
	if cartErr != nil {
		return errors.Join(err, cartErr)
	}
	return s.showBag(w, r, statusOf(e), cart, noticeOf(e, cart.Currency))
}

// lineForm reads product_id and quantity; a quantity left out is 1, the least allowed is given.
func lineForm(r *http.Request, least int64) (id, quantity int64, err error) {
	id, err = strconv.ParseInt(r.PostForm.Get("product_id"), 10, 64)
	if err != nil || id <= 0 {
		return 0, 0, shop.Invalid("product_id", "must be the number of a product")
	}
	quantity = 1
	if text := r.PostForm.Get("quantity"); text != "" {
		quantity, err = strconv.ParseInt(text, 10, 64)
	}
	if err != nil || quantity < least || quantity > shop.MaxLineQuantity {
		return 0, 0, shop.Invalid("quantity", "must be a whole number from %d to %d", least, shop.MaxLineQuantity)
	}
	return id, quantity, nil
}
