package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/fleet"
)

// natsFlags say where a fleet of generators meets.
type natsFlags struct {
	NATS  string `name:"nats" env:"STAMPEDE_LOAD_NATS" help:"NATS server at which generators meet." placeholder:"URL"`
	Fleet string `default:"default" help:"Name of the fleet; several may meet at one server." placeholder:"NAME"`
}

const natsTimeout = 10 * time.Second

func (f natsFlags) connect() (*nats.Conn, error) {
	if f.NATS == "" {
		return nil, usageError{errors.New("--nats is needed: the NATS server at which generators meet, like nats://TOKEN@localhost:4222")}
	}
	nc, err := nats.Connect(f.NATS, nats.Name("stampede load"), nats.Timeout(natsTimeout), nats.MaxReconnects(-1))
	if err != nil {
		return nil, fmt.Errorf("NATS: %w; is it running, and is --nats right?", err)
	}
	return nc, nil
}

func (c loadPlayCmd) playTogether(ctx context.Context, o loadsim.Options) (*loadsim.Recording, error) {
	nc, err := c.connect()
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	rec, err := fleet.Run(ctx, nc, fleet.Options{Name: c.Fleet, Agents: c.Agents, Load: o})
	if errors.Is(err, fleet.ErrOptions) {
		err = usageError{err}
	}
	return rec, err
}

type loadAgentCmd struct {
	natsFlags
	ID string `help:"Name of this agent, unlike any other's; the host's name and the process's number when not given." placeholder:"NAME"`
}

func (loadAgentCmd) Help() string {
	return "Example:\n  stampede load agent --nats nats://TOKEN@10.0.0.1:4222\n" +
		"and on any machine: stampede load --agents 3 --nats nats://TOKEN@10.0.0.1:4222 --target URL --rate 30000\n" +
		"An agent loads whatever it is told to: let only those use the NATS server who may."
}

func (c loadAgentCmd) Run(ctx context.Context, s streams) error {
	nc, err := c.connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	id := c.ID
	if id == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "agent"
		}
		host, _, _ = strings.Cut(host, ".")
		id = fmt.Sprintf("%s-%d", host, os.Getpid())
	}
	_, _ = fmt.Fprintf(s.Err, "agent %s waits for a coordinator of fleet %s; Ctrl-C ends it\n", id, c.Fleet)
	err = fleet.Serve(ctx, nc, fleet.AgentOptions{Name: c.Fleet, ID: id, Log: slog.New(slog.NewTextHandler(s.Err, nil))})
	if errors.Is(err, fleet.ErrOptions) {
		err = usageError{err}
	}
	return err
}
