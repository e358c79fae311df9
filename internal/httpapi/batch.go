package httpapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stampede-shop/stampede/internal/shop"
)

const (
	maxBatchCalls    = 50
	maxBatchParallel = 8                // calls of one batch at a time
	maxBatchAnswer   = 8 << 20          // bytes of all bodies of an answer together
	batchPath        = "/batch"         // the one path that a batch cannot call
	batchDeadline    = 14 * time.Second // of all calls together; the edge waits a second longer
)

// batchCall is one call of a batch, as if it were sent alone.
type batchCall struct {
	Method  string       `json:"method" enum:"GET,HEAD,POST,PUT,PATCH,DELETE"`
	Path    string       `json:"path" minLength:"1" maxLength:"4096" pattern:"^/[!-~]*$" patternDescription:"a path of this API with its query, such as /products?limit=5" doc:"With the query, percent-encoded"`
	Headers batchHeaders `json:"headers,omitempty"`
	Body    anyJSON      `json:"body,omitempty" doc:"Any JSON; absent for a call without a body"`
}

type batchRequest struct {
	Requests []batchCall `json:"requests" minItems:"1" maxItems:"50" nullable:"false"`
}

// batchAnswer is the answer of one call.
type batchAnswer struct {
	Status  int               `json:"status" minimum:"100" maximum:"599"`
	Headers map[string]string `json:"headers" doc:"All but cookies, which are set on the batch's own answer"`
	Body    anyJSON           `json:"body" doc:"JSON as it is, other text in a string, null when there is none"`
}

// anyJSON is any JSON value.
type anyJSON json.RawMessage

// Schema implements huma.SchemaProvider.
func (anyJSON) Schema(huma.Registry) *huma.Schema { return &huma.Schema{} }

// UnmarshalJSON implements json.Unmarshaler.
func (o *anyJSON) UnmarshalJSON(b []byte) error { return (*json.RawMessage)(o).UnmarshalJSON(b) }

// batchHeaders are the headers of a call; of those in the list that it names.
type batchHeaders map[string]string

// callHeaders are the headers that a call of a batch may have of its own. The others are those of the batch.
var callHeaders = []string{"Accept", "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match"}

// Schema implements huma.SchemaProvider.
func (batchHeaders) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{}}
	for _, name := range callHeaders {
		longest := 4096
		s.Properties[name] = &huma.Schema{Type: huma.TypeString, MaxLength: &longest, Pattern: `^[^\p{Cc}]*$`, PatternDescription: "without control characters"}
	}
	return s
}

func (a *api) batchRoutes() []route {
	return []route{{
		method: "POST", path: batchPath, id: "batch", summary: "Several calls in one round trip", access: open, body: bodyOf[batchRequest](),
		text: "Each call passes limits, firewall, authentication and sessions as if it were sent alone, with the cookies and the Authorization of the batch; a cookie " +
			"that one sets is sent by those after it. Calls that change something are done one after the other, in order, and each sees what those " +
			"before it did; neighbouring reads may be done at once. A failed call does not stop the others. An Idempotency-Key on the batch names its calls one by one. " +
			"There are no batches in batches.",
		params: []param{idempotencyKey}, deadline: batchDeadline,
		answers: []answer{{status: http.StatusOK, doc: "The answers, in the order of the calls", body: batchAnswer{}, list: true, headers: []string{"Set-Cookie"}}},
		codes:   []shop.Code{shop.CodeForbidden}, handle: a.batch,
	}}
}

func (a *api) batch(c *call) error {
	in, err := decode[batchRequest](c)
	if err != nil {
		return err
	}
	key, err := c.key()
	if err != nil {
		return err
	}
	run := &batchRun{api: a, outer: c.r, key: key, jar: newBatchJar(c.r), refused: refusedCalls(c.r.Header), answers: make([]batchAnswer, len(in.Requests))}
	if err := run.plan(in.Requests); err != nil {
		return err
	}
	run.do(c.ctx())
	for _, cookie := range run.jar.set() {
		c.w.Header().Add("Set-Cookie", cookie)
	}
	c.w.Header()["Cache-Control"] = cachePrivate
	return c.write(http.StatusOK, encodeBatch(run.answers))
}

// plan checks all calls before the first is done.
func (b *batchRun) plan(calls []batchCall) error {
	var errs []shop.FieldError
	for i, one := range calls {
		u, err := url.ParseRequestURI(one.Path)
		field := "requests[" + strconv.Itoa(i) + "].path"
		switch {
		case err != nil || u.Host != "" || strings.HasPrefix(one.Path, "//"):
			errs = append(errs, shop.FieldError{Field: field, Message: "must be a path of this API"})
		case strings.TrimSuffix(path.Clean(u.Path), "/") == batchPath:
			errs = append(errs, shop.FieldError{Field: field, Message: "must not be a batch: put its calls into this one"})
		default:
			b.calls = append(b.calls, b.prepare(i, one, u))
		}
	}
	if len(errs) > 0 {
		return fieldErrors(errs)
	}
	return nil
}

// encodeBatch writes bodies that are JSON as they are.
func encodeBatch(answers []batchAnswer) []byte {
	size := 2
	for i := range answers {
		size += len(answers[i].Body) + 300
	}
	b := append(make([]byte, 0, size), '[')
	for i, one := range answers {
		if i > 0 {
			b = append(b, ',')
		}
		headers := encode(one.Headers)
		b = append(strconv.AppendInt(append(b, `{"status":`...), int64(one.Status), 10), `,"headers":`...)
		b = append(append(b, headers[:len(headers)-1]...), `,"body":`...)
		b = append(append(b, one.Body...), '}')
	}
	return append(b, "]\n"...)
}
