package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Codes that only HTTP knows.
const (
	codeMethod      shop.Code = "method-not-allowed"
	codeTooLarge    shop.Code = "too-large"
	codeUnsupported shop.Code = "unsupported-media-type"

	// These the edge answers by itself; they are explained here with the others.
	codeSlowRequest    shop.Code = "request-timeout"
	codeBadGateway     shop.Code = "bad-gateway"
	codeGatewayTimeout shop.Code = "gateway-timeout"
	codeBlocked        shop.Code = "request-blocked"
	codeLongURI        shop.Code = "uri-too-long"
	codeLargeHeaders   shop.Code = "headers-too-large"
)

// kind is what a code means over HTTP: the one place that says so.
type kind struct {
	status int
	title  string
	help   string
}

var kinds = map[shop.Code]kind{
	shop.CodeMalformed:           {400, "The request cannot be read", "Part of the request is not what HTTP or JSON allow; errors says where, if it is known."},
	shop.CodeUnauthorized:        {401, "Not signed in", "Sign in, or send the administrator's token. After a failed sign-in: address or password is wrong."},
	shop.CodePaymentDeclined:     {402, "The payment was declined", "Nothing was charged and the cart is as it was. Try another payment method."},
	shop.CodeForbidden:           {403, "Not allowed", "Who asks is known, and may not do this."},
	codeBlocked:                  {403, "The request was blocked", "It looks like an attack. If it is none, write it differently, or tell us the request id: we find the reason under it."},
	shop.CodeNotFound:            {404, "Not found", "There is no such thing, or it belongs to somebody else."},
	codeMethod:                   {405, "Method not allowed", "The Allow header lists the methods of this path."},
	codeSlowRequest:              {408, "The request was too slow", "The body did not arrive in time. Send it again."},
	shop.CodeConflict:            {409, "Conflict", "Somebody else was faster, or the present state forbids it. Read again, then decide."},
	shop.CodeEmailTaken:          {409, "The e-mail address has an account", "Sign in instead, or use another address."},
	shop.CodeSKUTaken:            {409, "The SKU is taken", "Another product has this SKU."},
	shop.CodeOutOfStock:          {409, "Out of stock", "lines names the products with too few units left. Nothing was bought and the cart is as it was."},
	shop.CodePriceChanged:        {409, "Prices changed", "lines names the products. The cart now shows the new prices; ask again to buy at these."},
	shop.CodeNotCancellable:      {409, "The order cannot be cancelled", "Only a confirmed order can be."},
	shop.CodePurchaseLimit:       {409, "More than one shopper may buy", "lines names the products and how many of them may still be bought. Nothing was bought and the cart is as it was."},
	shop.CodePreconditionFailed:  {412, "The version is old", "It was changed since the validator in If-Match was given. Read it again, then repeat the edit."},
	codeTooLarge:                 {413, "The body is too large", "Bodies have at most 1 MiB."},
	codeLongURI:                  {414, "The address is too long", "Path and query have at most 8 KiB. Ask for less at once."},
	codeUnsupported:              {415, "Unsupported media type", "Send application/json."},
	shop.CodeInvalid:             {422, "The input is wrong", "errors says which fields are wrong, and how."},
	shop.CodeEmptyCart:           {422, "The cart is empty", "Add a product first. order_id is set when this cart was just bought."},
	shop.CodeIdempotencyMismatch: {422, "The idempotency key was used before", "The same key came with another body within 24 hours. Use a new key."},
	shop.CodeTooManyRequests:     {429, "Too many requests", "Wait for as many seconds as Retry-After says."},
	codeLargeHeaders:             {431, "The headers are too large", "There are at most 100 fields with 32 KiB. Clear the cookies of this site."},
	shop.CodeInternal:            {500, "Internal error", "Our fault; it was logged under the id in X-Request-Id."},
	codeBadGateway:               {502, "No complete answer", "It is not known whether the request took effect: look before sending it again."},
	codeGatewayTimeout:           {504, "No answer in time", "It is not known whether the request took effect: look before sending it again."},
	shop.CodeWaitingRoom:         {503, "A place in the waiting room", "More shoppers came than can be served at once. Ask GET /queue for the place, and for this again once admitted."},
	shop.CodeUnavailable:         {503, "Temporarily unavailable", "Try again after as many seconds as Retry-After says."},
}

// problemType is the stable type of a code, a reference relative to the API's root.
func problemType(c shop.Code) string { return "/problems/" + string(c) }

// problem is an RFC 9457 document.
type problem struct {
	Type    string            `json:"type" doc:"Stable; /problems/<code>" example:"/problems/out-of-stock"`
	Title   string            `json:"title"`
	Status  int               `json:"status" minimum:"400" maximum:"599"`
	Detail  string            `json:"detail" doc:"What happened and what to do"`
	Errors  []shop.FieldError `json:"errors,omitempty" nullable:"false" doc:"What is wrong with which field (400, 422)"`
	Lines   []lineError       `json:"lines,omitempty" nullable:"false" doc:"The cart's lines in the way (out-of-stock, price-changed)"`
	OrderID string            `json:"order_id,omitempty" doc:"The order that a failed checkout is about"`

	// The edge's own answers have these; ours have the id in X-Request-Id alone.
	Instance  string `json:"instance,omitempty" doc:"urn:request:<request_id>, in answers of the edge itself"`
	RequestID string `json:"request_id,omitempty" doc:"As in X-Request-Id, in answers of the edge itself"`
}

// lineError is a cart line in the way of a checkout: with the units left when they are too few, with both prices when
// they differ.
type lineError struct {
	ProductID int64  `json:"product_id"`
	Name      string `json:"name,omitempty"`
	Requested int64  `json:"requested"`
	Available *int64 `json:"available,omitempty"`
	OldPrice  *int64 `json:"old_price,omitempty"`
	NewPrice  *int64 `json:"new_price,omitempty"`
}

func linesOf(e *shop.Error) []lineError {
	var out []lineError
	for _, l := range e.Lines {
		line := lineError{ProductID: l.ProductID, Name: l.Name, Requested: l.Requested}
		if e.Code == shop.CodePriceChanged {
			line.OldPrice, line.NewPrice = &l.OldPrice, &l.NewPrice
		} else {
			line.Available = &l.Available
		}
		out = append(out, line)
	}
	return out
}

// toError finds the error that a user may see; anything unknown becomes unavailable when it looks like a connection or
// a deadline, internal otherwise, and is only logged.
func toError(err error) *shop.Error {
	var e *shop.Error
	if errors.As(err, &e) {
		return e
	}
	var netErr net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.As(err, &netErr) {
		return &shop.Error{Code: shop.CodeUnavailable, Err: err,
			Detail: "a part of the shop did not answer in time: try again in a moment"}
	}
	return &shop.Error{Code: shop.CodeInternal, Err: err, Detail: "something went wrong on our side: try again, and tell us the X-Request-Id if it stays"}
}

// WriteProblem answers with the problem that err is. The cause of a 5xx goes into the request's log line.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) { writeProblem(w, r, err, nil) }

// writeProblem is WriteProblem; more, if there is, adds headers.
func writeProblem(w http.ResponseWriter, r *http.Request, err error, more func(h http.Header)) {
	e := toError(err)
	k, ok := kinds[e.Code]
	if !ok {
		k = kinds[shop.CodeInternal]
	}
	noteError(r.Context(), err)
	h := w.Header()
	for _, name := range []string{"ETag", "Last-Modified", "Link", "Content-Encoding", "Content-Length",
		"Surrogate-Control", "Surrogate-Key", "Location"} {
		h.Del(name)
	}
	if k.status == http.StatusUnauthorized && h.Get("WWW-Authenticate") == "" {
		h.Set("WWW-Authenticate", `Cookie realm="stampede"`)
	}
	if k.status == http.StatusServiceUnavailable || k.status == http.StatusTooManyRequests {
		h.Set("Retry-After", retryAfter(e.RetryAfter))
	}
	p := problem{Type: problemType(e.Code), Title: k.title, Status: k.status, Detail: e.Detail,
		Errors: e.Fields, Lines: linesOf(e), OrderID: e.OrderID}
	p.send(w, more)
}

// send answers with p; more, if there is, has the last word on headers.
func (p *problem) send(w http.ResponseWriter, more func(h http.Header)) {
	h, body := w.Header(), encode(p)
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if more != nil {
		more(h)
	}
	w.WriteHeader(p.Status)
	w.Write(body) //nolint:errcheck // the client may be gone
}

// retryAfter is whole seconds, at least one.
func retryAfter(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}

// encode is JSON without HTML escaping and with a newline at the end, which terminals like.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("httpapi: cannot encode an answer: " + err.Error()) // a programming error, or bad JSON out of storage
	}
	return b.Bytes()
}
