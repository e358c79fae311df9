package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/stampede-shop/stampede/internal/local/natsserver"
)

type natsCmd struct {
	Dir  string `required:"" type:"path" help:"Folder of the streams."`
	Port int    `required:"" help:"Port on loopback."`
}

// Run serves until ctx ends. The token comes by the environment, where other users do not see it.
func (n natsCmd) Run(ctx context.Context) error {
	// The relay deletes an outbox row once the stream has acknowledged it, so an acknowledgement has to mean "on disk".
	return natsserver.Run(ctx, natsserver.Options{Dir: n.Dir, Port: n.Port, Token: os.Getenv("STAMPEDE_NATS_TOKEN"), SyncAlways: true,
		Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil))})
}
