package web

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// maxWait is how far back an arrival is believed.
const maxWait = 5 * time.Minute

// orderBody is the order page's own part.
type orderBody struct {
	Order      shop.Order
	Status     string
	Notice     *notice
	Cancelable bool
}

func orderPath(id string) string { return "/account/orders/" + url.PathEscape(id) }

func (s *site) bagCheckout(w http.ResponseWriter, r *http.Request) error {
	session, found, err := s.Sessions.Load(r)
	if err != nil {
		return err
	}
	if !found || s.Checkouts.Pay == nil {
		http.Redirect(w, r, "/bag", http.StatusSeeOther)
		return nil
	}
	method := shop.PaymentMethod{Method: s.Checkouts.Pay.Name(), Outcome: r.PostForm.Get("outcome")}
	req := shop.CheckoutRequest{UserID: session.UserID, Payment: method, ArrivedAt: s.arrivedAt(r), Hold: r.Header.Get(shop.HeaderHold)}
	if op := r.Header.Get(opHeader); op != "" { // the edge may send this form again to another API process
		hash := sha256.Sum256([]byte(method.Method + "\n" + method.Outcome))
		req.Key = shop.CheckoutKey{Key: "web-" + op, Hash: hash[:]}
	}
	res, err := s.Checkouts.Run(r.Context(), req)
	if err == nil {
		http.Redirect(w, r, orderPath(res.Order.ID)+"?placed=1", http.StatusSeeOther)
		return nil
	}
	var e *shop.Error
	if errors.As(err, &e) && e.Code == shop.CodeEmptyCart { // a second click after the first was done
		to := "/bag"
		if e.OrderID != "" {
			to = orderPath(e.OrderID)
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
		return nil
	}
	return s.bagError(w, r, session.UserID, err)
}

// arrivedAt is when the request reached the edge, which writes "t=" and Unix microseconds; or else now.
func (s *site) arrivedAt(r *http.Request) time.Time {
	now := s.Now()
	us, err := strconv.ParseInt(strings.TrimPrefix(r.Header.Get("X-Request-Start"), "t="), 10, 64)
	if t := time.UnixMicro(us); err == nil && !t.After(now) && now.Sub(t) <= maxWait {
		return t
	}
	return now
}

// owner is the user id of the request's session, or the error for somebody without one: their orders do not exist.
func (s *site) owner(r *http.Request) (string, error) {
	session, found, err := s.Sessions.Load(r)
	if err != nil {
		return "", err
	}
	if !found {
		return "", shop.NotFound("order", r.PathValue("id"))
	}
	return session.UserID, nil
}

func (s *site) order(w http.ResponseWriter, r *http.Request) error {
	userID, err := s.owner(r)
	if err != nil {
		return err
	}
	o, err := s.Orders.Order(r.Context(), userID, r.PathValue("id"))
	if err != nil {
		return err
	}
	var n *notice
	if r.URL.Query().Get("placed") != "" && o.Status == shop.OrderConfirmed {
		n = &notice{Text: "Thank you! Your order is confirmed."}
	}
	return s.showOrder(w, r, http.StatusOK, o, n)
}

func (s *site) orderCancel(w http.ResponseWriter, r *http.Request) error {
	userID, err := s.owner(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if _, err := s.Checkouts.Cancel(r.Context(), userID, id); err != nil {
		var e *shop.Error
		if !errors.As(err, &e) || e.Code != shop.CodeNotCancellable {
			return err
		}
		o, err := s.Orders.Order(r.Context(), userID, id)
		if err != nil {
			return err
		}
		return s.showOrder(w, r, statusOf(e), o, noticeOf(e, o.Currency))
	}
	http.Redirect(w, r, orderPath(id), http.StatusSeeOther)
	return nil
}

func (s *site) showOrder(w http.ResponseWriter, r *http.Request, status int, o shop.Order, n *notice) error {
	b := orderBody{Order: o, Status: statusWord(o.Status), Notice: n, Cancelable: o.Status == shop.OrderConfirmed}
	if o.Status == shop.OrderPending {
		w.Header().Set("Refresh", "5") // the payment's outcome will come without anybody pressing a button
	}
	return s.render(w, r, status, "order", page{Title: "Order " + o.ID, Body: b})
}

func statusWord(st shop.OrderStatus) string {
	switch st {
	case shop.OrderPending:
		return "Waiting for the payment"
	case shop.OrderConfirmed:
		return "Confirmed"
	case shop.OrderCancelled:
		return "Cancelled"
	case shop.OrderFailed:
		return "Not placed"
	default:
		return string(st)
	}
}
