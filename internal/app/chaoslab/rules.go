package chaoslab

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
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/running"
)

// Names of the faults that roles do themselves.
const (
	routeErrorFault = "route-error"
	routeSlowFault  = "route-slow"
	paymentFault    = "payment-timeout"
	clockFault      = "clock-skew"
)

// Rule is one thing that a process does to itself, while it is told to.
type Rule struct {
	Process string        `json:"process,omitempty"` // pattern; "" is all
	Method  string        `json:"method,omitempty"`
	Path    string        `json:"path,omitempty"` // a pattern whose * stands for anything
	Share   float64       `json:"share,omitempty"`
	Status  int           `json:"status,omitempty"`  // answered instead
	Latency time.Duration `json:"latency,omitempty"` // before the answer
	Payment string        `json:"payment,omitempty"` // outcome of test payments: timeout or late
	Clock   time.Duration `json:"clock,omitempty"`   // how far the clock is ahead
}

// RulesPath is where a role's operations endpoint takes rules.
const RulesPath = "/internal/chaos"

// Rules are the rules in force, which `up` tells the roles again and again: one that was started, or went on, meanwhile
// may know others.
type Rules struct {
	members func() []opshttp.Member
	log     *slog.Logger

	mu    sync.Mutex
	rules []*Rule
	stop  func() // ends the telling; nil: there was nothing to tell yet
}

// NewRules tells rules to members, those that come later included. Close it.
func NewRules(members func() []opshttp.Member, log *slog.Logger) *Rules {
	return &Rules{members: members, log: log}
}

const tellAgain = 500 * time.Millisecond

// Put puts a rule in force everywhere.
func (c *Rules) Put(ctx context.Context, r *Rule) (chaos.Undo, error) {
	if err := c.change(ctx, func(list []*Rule) []*Rule { return append(list, r) }); err != nil {
		return nil, errors.Join(err, c.drop(context.WithoutCancel(ctx), r))
	}
	return func(ctx context.Context) error { return c.drop(ctx, r) }, nil
}

func (c *Rules) drop(ctx context.Context, r *Rule) error {
	return c.change(ctx, func(list []*Rule) []*Rule {
		return slices.DeleteFunc(list, func(x *Rule) bool { return x == r })
	})
}

func (c *Rules) change(ctx context.Context, f func([]*Rule) []*Rule) error {
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
func (c *Rules) tell(ctx context.Context, rules []*Rule) error {
	if rules == nil {
		rules = []*Rule{}
	}
	body, err := json.Marshal(rules)
	if err != nil {
		return err
	}
	var members []opshttp.Member
	for _, m := range c.members() {
		if m.Name != running.EdgeName {
			members = append(members, m)
		}
	}
	told := opshttp.FanOut(ctx, members, func(ctx context.Context, m opshttp.Member) (bool, error) {
		status, _, err := opshttp.Ask(ctx, http.MethodPut, m.Ops, RulesPath, body, opshttp.MaxPurgeAnswer)
		return err == nil && status < http.StatusMultipleChoices, err
	})
	if !slices.Contains(told, true) {
		return errors.New("no process took the rule: is the platform up, with --chaos?")
	}
	return nil
}

// Close tells nobody any more.
func (c *Rules) Close() {
	c.mu.Lock()
	stop := c.stop
	c.stop = nil
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// Faults are those that a role brings about in itself.
func (c *Rules) Faults() []chaos.Fault {
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
			Plan: c.plan(func(v chaos.Values) (Rule, error) {
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
			Plan: c.plan(func(v chaos.Values) (Rule, error) {
				r := routeRule(v)
				r.Latency = v.Duration("latency")
				return r, nil
			}),
		},
		{
			Name: paymentFault, About: "the payment provider does not answer", Blast: "checkouts: their outcome is unknown until it is settled", Limit: 5 * time.Minute,
			Params: []chaos.Param{share, {Name: "outcome", About: "timeout: it never heard of the charge; late: it has charged", Default: "timeout"}},
			Plan: c.plan(func(v chaos.Values) (Rule, error) {
				r := Rule{Payment: v.Text("outcome"), Share: v.Share("share")}
				if r.Payment != "timeout" && r.Payment != "late" {
					return r, fmt.Errorf("%w: outcome=%s: timeout or late", chaos.ErrParams, r.Payment)
				}
				return r, nil
			}),
		},
		{
			Name: clockFault, About: "processes of ours go by a clock that is wrong (those of PostgreSQL, Redis and NATS stay right)", Blast: "what those processes date and time", Limit: 5 * time.Minute,
			Params: []chaos.Param{{Name: "by", About: "how much", Kind: chaos.Duration, Default: "1h"}, {Name: "direction", About: "ahead or behind", Default: "ahead"}, processes},
			Plan: c.plan(func(v chaos.Values) (Rule, error) {
				r := Rule{Clock: v.Duration("by"), Process: v.Text("process")}
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

func routeRule(v chaos.Values) Rule {
	return Rule{Path: v.Text("path"), Method: strings.ToUpper(v.Text("method")), Share: v.Share("share"), Process: v.Text("process")}
}

func (c *Rules) plan(rule func(chaos.Values) (Rule, error)) func(context.Context, chaos.Values) (chaos.Plan, error) {
	return func(_ context.Context, v chaos.Values) (chaos.Plan, error) {
		r, err := rule(v)
		if err == nil {
			err = r.check()
		}
		return chaos.Plan{Inject: func(ctx context.Context, _ func(any) error) (chaos.Undo, error) { return c.Put(ctx, &r) }}, err
	}
}

func (r *Rule) check() error {
	if _, err := path.Match(r.Process, ""); err != nil {
		return fmt.Errorf("%w: process=%s: %w", chaos.ErrParams, r.Process, err)
	}
	return nil
}

// DecodeRules reads what tell sent.
func DecodeRules(raw []byte) (list []Rule, err error) {
	return list, opshttp.Decode(bytes.NewReader(raw), &list)
}

// Covers tells whether a request is one of the route that the rule names.
func (r *Rule) Covers(req *http.Request) bool {
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
