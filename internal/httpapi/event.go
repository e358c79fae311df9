package httpapi

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/internal/account"
	"github.com/stampede-shop/stampede/internal/shop"
)

// EventTaker takes events that clients report: *analytics.Collector.
type EventTaker interface {
	// Add returns when the events are safe; analytics.ErrBusy when they are to be sent again.
	Add(ctx context.Context, events []analytics.Event) error
}

// eventAnswer tells how many events were taken.
type eventAnswer struct {
	Accepted int `json:"accepted" minimum:"1"`
}

const (
	eventDeadline = 5 * time.Second
	eventRetry    = 2 * time.Second
)

func (a *api) eventRoutes() []route {
	return []route{{method: "POST", path: "/events", id: "reportEvents", summary: "Report what shoppers do", access: open, deadline: eventDeadline,
		text: "A JSON array of events, or one event a line (NDJSON), at most 10,000; all are taken or none. An event is an object with kind (view, click, search, add, " +
			"remove, checkout, custom) and, where they are known, id (a UUID of version 4 or 7: the same event sent again counts once), time (RFC 3339, or milliseconds since " +
			"1970; none means now), shopper, product (or product_id, the same), category, query, quantity, amount (minor units), currency, source and attributes (an object). With a session cookie the " +
			"shopper is the session's. Content-Type may be text/plain, as navigator.sendBeacon has it. Answered when the events are on file; 503 means send them again.",
		takes:   []string{"application/json", "application/x-ndjson", "text/plain"},
		answers: []answer{{status: http.StatusAccepted, doc: "They will be stored", body: eventAnswer{}}},
		codes:   []shop.Code{shop.CodeMalformed, shop.CodeInvalid, codeTooLarge, codeUnsupported, shop.CodeUnavailable}, handle: a.reportEvents}}
}

// describeRaw documents a body that is not one JSON object.
func (d *document) describeRaw(op *huma.Operation, r *route) {
	if len(r.takes) == 0 {
		return
	}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
	for _, media := range r.takes {
		op.RequestBody.Content[media] = &huma.MediaType{Schema: &huma.Schema{}}
	}
}

func (a *api) reportEvents(c *call) error {
	if a.Events == nil {
		return shop.Errorf(shop.CodeUnavailable, "events are not collected here: set analytics.enabled")
	}
	if err := takesType(c); err != nil {
		return err
	}
	raw, err := slurp(c.w, c.r, a.doc.bodyDeadline)
	if err != nil {
		return err
	}
	events, err := analytics.ReadJSON(raw, analytics.ReadOptions{Now: a.Now, Source: "client", Shopper: claimedShopper(c.r)})
	if err != nil {
		return eventProblem(err)
	}
	err = a.Events.Add(c.ctx(), events)
	if errors.Is(err, analytics.ErrBusy) {
		return &shop.Error{Code: shop.CodeUnavailable, RetryAfter: eventRetry, Err: err, Detail: "more events come than can be taken: send these again in a moment, with the same ids"}
	}
	if err != nil {
		return err
	}
	return c.json(http.StatusAccepted, eventAnswer{len(events)})
}

// claimedShopper is the session's, if the shop's own pages report.
func claimedShopper(r *http.Request) uint64 {
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		return 0
	}
	return analytics.HashShopper(account.Claimed(r.Header.Get("Cookie")))
}

func takesType(c *call) error {
	if enc := c.r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return shop.Errorf(codeUnsupported, "a body in Content-Encoding %s is not taken: send it as it is", cut(enc))
	}
	ct := c.r.Header.Get("Content-Type")
	if ct == "" {
		return nil
	}
	media, _, err := mime.ParseMediaType(ct)
	for _, m := range c.route.takes {
		if err == nil && media == m {
			return nil
		}
	}
	return shop.Errorf(codeUnsupported, "a body of type %q is not taken: send application/json, application/x-ndjson or text/plain", cut(ct))
}

// eventProblem says which event is wrong: events[3].kind.
func eventProblem(err error) error {
	var e *analytics.EventError
	if !errors.As(err, &e) {
		return shop.Errorf(shop.CodeMalformed, "%s", err)
	}
	at := "events[" + strconv.Itoa(e.Index) + "]"
	if len(e.Fields) == 0 {
		return &shop.Error{Code: shop.CodeMalformed, Detail: at + ": " + e.Err.Error(), Fields: []shop.FieldError{{Field: at, Message: e.Err.Error()}}}
	}
	var fields []shop.FieldError
	for _, f := range e.Fields {
		fields = append(fields, shop.FieldError{Field: at + "." + f.Field, Message: f.Message})
	}
	return fieldErrors(fields)
}
