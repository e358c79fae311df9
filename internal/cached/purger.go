package cached

import (
	"context"
	"log/slog"
	"time"
)

// purgeWithin bounds the wait for other processes after a write.
const purgeWithin = 2 * time.Second

// purger invalidates after writes. What cannot be confirmed is logged: the write stands, and whoever reads the outbox
// repeats the purge.
type purger struct {
	purge func(ctx context.Context, tags []string) error
	log   *slog.Logger
}

// do purges even if ctx has ended: a shopper who leaves after the commit must not leave old values behind.
func (p purger) do(ctx context.Context, tags ...string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), purgeWithin)
	defer cancel()
	if err := p.purge(ctx, tags); err != nil {
		p.log.WarnContext(ctx, "purge not confirmed", "tags", tags, "error", err)
	}
}
