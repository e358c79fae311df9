package chaoslab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/chaos/experiment"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
)

// editsFault is no fault but what shows one: an administrator who looks, after each edit, whether everybody sees it.
const editsFault = "catalogue-edits"

// editMark is the attribute that is edited, and gone in the end.
const editMark = "chaos_edit"

const (
	editedProducts = 5
	editTimeout    = 10 * time.Second
)

func (c *Chaos) editFault() chaos.Fault {
	return chaos.Fault{
		Name: editsFault, About: "edits products, and reads each by the edge as soon as the edit is answered; an experiment fails when an old version was seen",
		Blast: "an attribute of five products, which is removed again", Limit: 5 * time.Minute,
		Params:    []chaos.Param{{Name: "every", About: "pause between two edits", Kind: chaos.Duration, Default: "100ms"}},
		Available: func(ctx context.Context) error { _, err := c.Status(ctx); return err },
		Plan: func(ctx context.Context, v chaos.Values) (chaos.Plan, error) {
			if v.Duration("every") < 10*time.Millisecond {
				return chaos.Plan{}, fmt.Errorf("%w: every=%v: at least 10ms", chaos.ErrParams, v.Duration("every"))
			}
			e, err := c.newEditor(ctx)
			if err != nil {
				return chaos.Plan{}, err
			}
			return chaos.Plan{Target: "catalogue", State: e.products, Inject: func(context.Context, func(any) error) (chaos.Undo, error) {
				c.editor = e // nobody else edits: it has the target
				return e.run(v.Duration("every")), nil
			}}, nil
		},
		Recover: func(ctx context.Context, state json.RawMessage) error {
			e, err := c.newEditor(ctx)
			if err == nil {
				err = json.Unmarshal(state, &e.products)
			}
			if err != nil {
				return err
			}
			return e.clear(ctx)
		},
	}
}

// editor edits products in turn.
type editor struct {
	client      *http.Client
	url, token  string
	products    []int64
	edits, lost int    // answered edits, and those of them that were not seen
	example     string // of one that was not
}

func (c *Chaos) newEditor(ctx context.Context) (*editor, error) {
	st, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	e := &editor{client: &http.Client{Timeout: editTimeout}, url: st.URL, token: c.client.Token}
	var list []struct {
		ID int64 `json:"id"`
	}
	if err := e.call(ctx, http.MethodGet, fmt.Sprintf("/products?limit=%d", editedProducts), nil, &list); err != nil {
		return nil, err
	}
	for _, p := range list {
		e.products = append(e.products, p.ID)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: there are no products to edit", chaos.ErrUnavailable)
	}
	return e, nil
}

func (e *editor) call(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, e.url+path, &body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/merge-patch+json")
		req.Header.Set("Authorization", "Bearer "+e.token)
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, opshttp.MaxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return opshttp.ProblemError(method+" "+path, resp.Status, raw)
	}
	return json.Unmarshal(raw, out)
}

// edited is what is read of a product.
type edited struct {
	Attributes map[string]any `json:"attributes"`
}

// mark sets the attribute, nil removes it.
func (e *editor) mark(ctx context.Context, product int64, value any) error {
	return e.call(ctx, http.MethodPatch, fmt.Sprintf("/products/%d", product), map[string]any{"attributes": map[string]any{editMark: value}}, new(edited))
}

// look edits a product and reads it. Edits that are refused promise nothing.
func (e *editor) look(ctx context.Context, n int) {
	product := e.products[n%len(e.products)]
	if e.mark(ctx, product, n) != nil {
		return
	}
	var got edited
	if e.call(ctx, http.MethodGet, fmt.Sprintf("/products/%d", product), nil, &got) != nil {
		return
	}
	e.edits++
	if got.Attributes[editMark] != float64(n) {
		e.lost++
		e.example = fmt.Sprintf("product %d had edit %v after edit %d was answered", product, got.Attributes[editMark], n)
	}
}

// run edits until it is undone.
func (e *editor) run(every time.Duration) chaos.Undo {
	n := 0
	stop := repeat(every, func(ctx context.Context) { n++; e.look(ctx, n) })
	var once sync.Once
	return func(ctx context.Context) error {
		once.Do(func() { _ = stop(ctx) })
		return e.clear(ctx)
	}
}

// found is what the edits have shown, once they are over: an error when it is bad.
func (e *editor) found() error {
	switch {
	case e.edits == 0:
		return fmt.Errorf("%w: no edit was answered, so that nothing was shown", experiment.ErrFinding)
	case e.lost > 0:
		return fmt.Errorf("%w: %d of %d edits were not seen when they were answered: %s", experiment.ErrFinding, e.lost, e.edits, e.example)
	}
	return nil
}

// clear removes the attribute.
func (e *editor) clear(ctx context.Context) error {
	var errs []error
	for _, p := range e.products {
		errs = append(errs, e.mark(ctx, p, nil))
	}
	return errors.Join(errs...)
}
