package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// notice is a message above a page's content. Lines give particulars.
type notice struct {
	Bad   bool
	Text  string
	Lines []string
}

// errorBody is the error page's own part.
type errorBody struct {
	Heading string
	Detail  string
}

// codeMethod is only HTTP's: a page was asked for by another method than it takes.
const codeMethod shop.Code = "method-not-allowed"

var statuses = map[shop.Code]int{
	shop.CodeMalformed:           http.StatusBadRequest,
	shop.CodeInvalid:             http.StatusUnprocessableEntity,
	shop.CodeEmptyCart:           http.StatusUnprocessableEntity,
	shop.CodeIdempotencyMismatch: http.StatusUnprocessableEntity,
	shop.CodeNotFound:            http.StatusNotFound,
	codeMethod:                   http.StatusMethodNotAllowed,
	shop.CodeConflict:            http.StatusConflict,
	shop.CodeEmailTaken:          http.StatusConflict,
	shop.CodeOutOfStock:          http.StatusConflict,
	shop.CodePriceChanged:        http.StatusConflict,
	shop.CodeNotCancellable:      http.StatusConflict,
	shop.CodePurchaseLimit:       http.StatusConflict,
	shop.CodeWaitingRoom:         http.StatusServiceUnavailable,
	shop.CodePaymentDeclined:     http.StatusPaymentRequired,
	shop.CodePreconditionFailed:  http.StatusPreconditionFailed,
	shop.CodeUnauthorized:        http.StatusUnauthorized,
	shop.CodeForbidden:           http.StatusForbidden,
	shop.CodeTooManyRequests:     http.StatusTooManyRequests,
	shop.CodeUnavailable:         http.StatusServiceUnavailable,
}

// known is the shop.Error in err's chain. A deadline that passed or a broken connection counts as "try again"; anything
// else is internal and nil, and is never shown.
func known(err error) *shop.Error {
	var e *shop.Error
	if errors.As(err, &e) {
		return e
	}
	var netErr net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) {
		return &shop.Error{Code: shop.CodeUnavailable, Detail: "a part of the shop did not answer in time", Err: err}
	}
	return nil
}

func statusOf(e *shop.Error) int {
	if e != nil {
		if status, ok := statuses[e.Code]; ok {
			return status
		}
	}
	return http.StatusInternalServerError
}

// fail answers with the error page, or with problem+json when the client asked for no HTML.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == context.Canceled {
		w.WriteHeader(statusClientGone) // nobody reads it, but logs and metrics do
		return
	}
	e := known(err)
	status := statusOf(e)
	if status >= http.StatusInternalServerError {
		s.Log.ErrorContext(r.Context(), "page failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	noStore(w.Header())
	if wait := retryAfter(status, e); wait > 0 {
		w.Header().Set("Retry-After", seconds(wait))
	}
	b := explain(status, e)
	if !wantsHTML(r) {
		writeProblem(w, status, e, b)
		return
	}
	if err := s.render(w, r, status, "error", page{Title: b.Heading, Body: b}); err != nil {
		s.Log.ErrorContext(r.Context(), "error page failed", "error", err)
		http.Error(w, b.Heading, status)
	}
}

// statusClientGone is what nginx logs for a client that went away.
const statusClientGone = 499

// retryAfter is how long the client is asked to wait, in whole seconds; 0 says nothing about it.
func retryAfter(status int, e *shop.Error) time.Duration {
	switch {
	case e != nil && e.RetryAfter > 0:
		return max(e.RetryAfter.Round(time.Second), time.Second)
	case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
		return 2 * time.Second
	default:
		return 0
	}
}

func explain(status int, e *shop.Error) errorBody {
	b := errorBody{Heading: "That did not work"}
	if e != nil {
		b.Detail = sentence(e.Detail)
	}
	switch status {
	case http.StatusNotFound:
		b.Heading = "We could not find that"
		b.Detail = "It may have been taken out of the shop, or the address may be mistyped."
	case http.StatusMethodNotAllowed:
		b.Heading = "There is no page here"
	case http.StatusForbidden:
		b.Heading = "That was refused"
	case http.StatusServiceUnavailable:
		b.Heading = "The shop is very busy"
		b.Detail = "Nothing is lost. Please wait a moment and try again."
	case http.StatusInternalServerError:
		b.Heading = "Something went wrong on our side"
		b.Detail = "It has been written down for us to look at. Your bag is safe; please try again in a moment."
	}
	return b
}

// wantsHTML tells a browser from a program. A client that names neither HTML nor JSON gets a page where there is one, and
// a problem where there is nothing.
func wantsHTML(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	switch {
	case strings.Contains(r.Header.Get("Content-Type"), "json"):
		return false
	case strings.Contains(accept, "text/html"):
		return true
	default:
		return r.Pattern != "/" && !strings.Contains(accept, "json")
	}
}

func writeProblem(w http.ResponseWriter, status int, e *shop.Error, b errorBody) {
	code := shop.CodeInternal
	if e != nil {
		code = e.Code
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"type": "/problems/" + string(code), "title": b.Heading, "status": status, "detail": b.Detail,
	})
}

// noticeOf says kindly what an error of the shop means, line by line where it concerns lines.
func noticeOf(e *shop.Error, currency string) *notice {
	n := &notice{Bad: true, Text: sentence(e.Detail)}
	switch e.Code {
	case shop.CodeOutOfStock:
		n.Text = "Somebody was faster: not everything in your bag is still there. Change these lines and check out again."
	case shop.CodePriceChanged:
		n.Text = "Prices changed while these were in your bag. It now shows the new ones: please look, and check out again."
	case shop.CodePurchaseLimit:
		n.Text = "We keep some things for as many shoppers as possible. Change these lines and check out again."
	case shop.CodeWaitingRoom:
		n.Text = "Something in your bag is given out in the order of the waiting room. Please come back when it is your turn."
	case shop.CodePaymentDeclined:
		n.Text = "The payment was declined. Nothing was charged and your bag is as it was."
	case shop.CodeUnavailable:
		n.Text = "This is not possible at the moment. Your bag is as it was; please try again later."
		if e.OrderID != "" {
			n.Text = "The checkout was interrupted and undone. Nothing was charged; please try again."
		}
	}
	for _, l := range e.Lines {
		name := l.Name
		if name == "" {
			name = fmt.Sprintf("Product %d", l.ProductID)
		}
		switch {
		case e.Code == shop.CodePriceChanged:
			n.Lines = append(n.Lines, fmt.Sprintf("%s: was %s, now %s", name, money(l.OldPrice, currency), money(l.NewPrice, currency)))
		case e.Code == shop.CodePurchaseLimit:
			n.Lines = append(n.Lines, fmt.Sprintf("%s: you asked for %d, you may still buy %d", name, l.Requested, l.Available))
		case l.Available > 0:
			n.Lines = append(n.Lines, fmt.Sprintf("%s: you asked for %d, %d left", name, l.Requested, l.Available))
		default:
			n.Lines = append(n.Lines, name+": sold out")
		}
	}
	return n
}

// sentence makes a detail of the API read as one.
func sentence(detail string) string {
	if detail == "" {
		return ""
	}
	r := []rune(detail)
	out := strings.ToUpper(string(r[0])) + string(r[1:])
	if !strings.HasSuffix(out, ".") {
		out += "."
	}
	return out
}
