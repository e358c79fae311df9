package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/chaos"
)

// Names of the faults that roles do themselves.
const (
	routeErrorFault = "route-error"
	routeSlowFault  = "route-slow"
	paymentFault    = "payment-timeout"
	clockFault      = "clock-skew"
)

// chaosRule is one thing that a process does to itself, while it is told to.
type chaosRule struct {
	Process string        `json:"process,omitempty"` // pattern; "" is all
	Method  string        `json:"method,omitempty"`
	Path    string        `json:"path,omitempty"` // a pattern whose * stands for anything
	Share   float64       `json:"share,omitempty"`
	Status  int           `json:"status,omitempty"`  // answered instead
	Latency time.Duration `json:"latency,omitempty"` // before the answer
	Payment string        `json:"payment,omitempty"` // outcome of test payments: timeout or late
	Clock   time.Duration `json:"clock,omitempty"`   // how far the clock is ahead
}

// rulesPath is where a role's operations endpoint takes rules.
const rulesPath = "/internal/chaos"

// chaosRules are the rules in force, which `up` tells the roles again and again: one that was started, or went on, meanwhile
// may know others.
type chaosRules struct {
	members func() []member
	log     *slog.Logger

	mu    sync.Mutex
	rules []*chaosRule
	stop  func() // ends the telling; nil: there was nothing to tell yet
}

func newChaosRules(members func() []member, log *slog.Logger) *chaosRules {
	return &chaosRules{members: members, log: log}
}

const tellAgain = 500 * time.Millisecond

// put puts a rule in force everywhere.
func (c *chaosRules) put(ctx context.Context, r *chaosRule) (chaos.Undo, error) {
	if err := c.change(ctx, func(list []*chaosRule) []*chaosRule { return append(list, r) }); err != nil {
		return nil, errors.Join(err, c.drop(context.WithoutCancel(ctx), r))
	}
	return func(ctx context.Context) error { return c.drop(ctx, r) }, nil
}

func (c *chaosRules) drop(ctx context.Context, r *chaosRule) error {
	return c.change(ctx, func(list []*chaosRule) []*chaosRule {
		return slices.DeleteFunc(list, func(x *chaosRule) bool { return x == r })
	})
}

func (c *chaosRules) change(ctx context.Context, f func([]*chaosRule) []*chaosRule) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rules = f(slices.Clone(c.rules))
	if c.stop == nil { // from now on, so that who could not listen when the last rule was dropped hears of it later
		undo := repeat(tellAgain, func(ctx context.Context) {
			c.mu.Lock() // held while telling: nobody is to hear last of what was before
			defer c.mu.Unlock()
			_ = c.tell(ctx, c.rules) // whoever is away is told when back
		})
		c.stop = func() { _ = undo(context.Background()) }
	}
	return c.tell(ctx, c.rules)
}

// tell sends rules to every role that answers; an error says that none did, or that one refused.
func (c *chaosRules) tell(ctx context.Context, rules []*chaosRule) error {
	if rules == nil {
		rules = []*chaosRule{}
	}
	body, err := json.Marshal(rules)
	if err != nil {
		return err
	}
	var members []member
	for _, m := range c.members() {
		if m.Name != edgeName {
			members = append(members, m)
		}
	}
	told := fanOut(ctx, members, func(ctx context.Context, m member) (bool, error) {
		status, _, err := ask(ctx, http.MethodPut, m.Ops, rulesPath, body, maxPurgeAnswer)
		return err == nil && status < http.StatusMultipleChoices, err
	})
	if !slices.Contains(told, true) {
		return errors.New("no process took the rule: is the platform up, with --chaos?")
	}
	return nil
}

// close tells nobody any more.
func (c *chaosRules) close() {
	c.mu.Lock()
	stop := c.stop
	c.stop = nil
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
}

func (c *chaosRules) faults() []chaos.Fault {
	share := chaos.Param{Name: "share", About: "share of them", Kind: chaos.Share, Default: "1"}
	processes := chaos.Param{Name: "process", About: "pattern of the processes, like api-1; all when not given"}
	route := []chaos.Param{
		{Name: "path", About: "of the requests; * stands for anything, like /products/*", Required: true},
		{Name: "method", About: "of the requests; any when not given"}, share, processes,
	}
	return []chaos.Fault{
		{
			Name: routeErrorFault, About: "API processes answer requests of a route with an error", Blast: "requests of that route, before the edge's cache and retries", Limit: 5 * time.Minute,
			Params: append(slices.Clone(route), chaos.Param{Name: "status", About: "500 to 504", Kind: chaos.Number, Default: "503"}),
			Plan: c.plan(func(v chaos.Values) (chaosRule, error) {
				r := routeRule(v)
				if r.Status = v.Number("status"); r.Status < 500 || r.Status > 504 {
					return r, fmt.Errorf("%w: status=%d: 500 to 504", chaos.ErrParams, r.Status)
				}
				return r, nil
			}),
		},
		{
			Name: routeSlowFault, About: "API processes answer requests of a route late", Blast: "requests of that route that caches do not answer", Limit: 5 * time.Minute,
			Params: append(slices.Clone(route), chaos.Param{Name: "latency", About: "how much later", Kind: chaos.Duration, Default: "500ms"}),
			Plan: c.plan(func(v chaos.Values) (chaosRule, error) {
				r := routeRule(v)
				r.Latency = v.Duration("latency")
				return r, nil
			}),
		},
		{
			Name: paymentFault, About: "the payment provider does not answer", Blast: "checkouts: their outcome is unknown until it is settled", Limit: 5 * time.Minute,
			Params: []chaos.Param{share, {Name: "outcome", About: "timeout: it never heard of the charge; late: it has charged", Default: "timeout"}},
			Plan: c.plan(func(v chaos.Values) (chaosRule, error) {
				r := chaosRule{Payment: v.Text("outcome"), Share: v.Share("share")}
				if r.Payment != "timeout" && r.Payment != "late" {
					return r, fmt.Errorf("%w: outcome=%s: timeout or late", chaos.ErrParams, r.Payment)
				}
				return r, nil
			}),
		},
		{
			Name: clockFault, About: "processes of ours go by a clock that is wrong (those of PostgreSQL, Redis and NATS stay right)", Blast: "what those processes date and time", Limit: 5 * time.Minute,
			Params: []chaos.Param{{Name: "by", About: "how much", Kind: chaos.Duration, Default: "1h"}, {Name: "direction", About: "ahead or behind", Default: "ahead"}, processes},
			Plan: c.plan(func(v chaos.Values) (chaosRule, error) {
				r := chaosRule{Clock: v.Duration("by"), Process: v.Text("process")}
				switch v.Text("direction") {
				case "ahead":
				case "behind":
					r.Clock = -r.Clock
				default:
					return r, fmt.Errorf("%w: direction=%s: ahead or behind", chaos.ErrParams, v.Text("direction"))
				}
				return r, nil
			}),
		},
	}
}

func routeRule(v chaos.Values) chaosRule {
	return chaosRule{Path: v.Text("path"), Method: strings.ToUpper(v.Text("method")), Share: v.Share("share"), Process: v.Text("process")}
}

func (c *chaosRules) plan(rule func(chaos.Values) (chaosRule, error)) func(context.Context, chaos.Values) (chaos.Plan, error) {
	return func(_ context.Context, v chaos.Values) (chaos.Plan, error) {
		r, err := rule(v)
		if err == nil {
			err = r.check()
		}
		return chaos.Plan{Inject: func(ctx context.Context, _ func(any) error) (chaos.Undo, error) { return c.put(ctx, &r) }}, err
	}
}

func (r *chaosRule) check() error {
	if _, err := path.Match(r.Process, ""); err != nil {
		return fmt.Errorf("%w: process=%s: %w", chaos.ErrParams, r.Process, err)
	}
	return nil
}

// decodeRules reads what tell sent.
func decodeRules(raw []byte) (list []chaosRule, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	return list, dec.Decode(&list)
}

func (r *chaosRule) covers(req *http.Request) bool {
	return r.Path != "" && (r.Method == "" || r.Method == req.Method) && glob(r.Path, req.URL.Path)
}

// glob matches text with a pattern whose * stands for anything.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	if len(parts) == 1 {
		return text == ""
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return strings.HasSuffix(text, last)
}
