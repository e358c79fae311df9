// Package command has one fault: whatever a shell command does and another one undoes. It is for what only its user knows how
// to break. Whoever may inject it may run anything as this process's user: do not offer it over a network.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/chaos"
)

// Fault is the name of the fault.
const Fault = "command"

// Options of the fault; the zero value works.
type Options struct {
	// Timeout bounds each command. Default 30 s.
	Timeout time.Duration
}

type state struct {
	Undo string `json:"undo"`
}

// New makes the fault. A command that fails to inject is followed by the one that undoes, which has to cope with anything
// done, half done or not done at all.
func New(o Options) chaos.Fault {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	return chaos.Fault{
		Name: Fault, About: "runs a shell command, and another one to undo it", Blast: "whatever the command does",
		Params: []chaos.Param{
			{Name: "do", About: "the command that injects", Required: true},
			{Name: "undo", About: "the command that undoes, whatever was done", Required: true},
			{Name: "check", About: "a command that fails where the fault is not possible"},
			{Name: "target", About: "what is touched: nothing else touches it meanwhile"},
		},
		Available: func(context.Context) error {
			_, err := exec.LookPath("sh")
			return err
		},
		Plan: func(ctx context.Context, v chaos.Values) (chaos.Plan, error) { return o.plan(ctx, v) },
		Recover: func(ctx context.Context, raw json.RawMessage) error {
			var s state
			if err := json.Unmarshal(raw, &s); err != nil {
				return err
			}
			return o.run(ctx, s.Undo)
		},
	}
}

func (o Options) plan(ctx context.Context, v chaos.Values) (chaos.Plan, error) {
	if check := v.Text("check"); check != "" {
		if err := o.run(ctx, check); err != nil {
			return chaos.Plan{}, fmt.Errorf("%w: %w", chaos.ErrUnavailable, err)
		}
	}
	s := state{v.Text("undo")}
	undo := func(ctx context.Context) error { return o.run(ctx, s.Undo) }
	return chaos.Plan{Target: v.Text("target"), State: s, Inject: func(ctx context.Context, _ func(any) error) (chaos.Undo, error) {
		if err := o.run(ctx, v.Text("do")); err != nil {
			return nil, errors.Join(err, undo(context.WithoutCancel(ctx)))
		}
		return undo, nil
	}}, nil
}

const said = 500 // bytes of what a command that failed has said

func (o Options) run(ctx context.Context, command string) error {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, strings.TrimSpace(string(out[max(0, len(out)-said):])))
	}
	return nil
}
