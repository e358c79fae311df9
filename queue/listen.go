package queue

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

const listenCheck = 20 * time.Second // a silent LISTEN connection is pinged this often

// listen wakes the feed whenever a transaction with outbox rows commits. It has a connection of its own, sought again
// when lost; meanwhile polling goes on. Through a pooler that cannot LISTEN only polling remains.
func (f *feed) listen(ctx context.Context) {
	b := backoff{min: 100 * time.Millisecond, max: f.r.o.MaxBackoff}
	for {
		started := time.Now()
		if err := f.listenOnce(ctx); err != nil && ctx.Err() == nil {
			f.log.Debug("listening for outbox rows failed; polling meanwhile", "error", err)
		}
		if time.Since(started) > time.Second {
			b.reset()
		}
		if !pause(ctx, b.next(), nil) {
			return
		}
	}
}

func (f *feed) listenOnce(ctx context.Context) error {
	dial, cancel := context.WithTimeout(ctx, f.r.o.AckWait)
	defer cancel()
	conn, err := pgx.ConnectConfig(dial, f.src.Pool.Config().ConnConfig.Copy())
	if err != nil {
		return err
	}
	defer func() {
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(bye)
	}()
	if _, err := conn.Exec(dial, "LISTEN outbox"); err != nil {
		return err
	}
	f.nudge() // what committed before the LISTEN
	for {
		err := f.waitNotification(ctx, conn)
		if err != nil {
			return err
		}
	}
}

// waitNotification nudges the feed at the next notification; after a while without one it pings instead.
func (f *feed) waitNotification(ctx context.Context, conn *pgx.Conn) error {
	wait, cancel := context.WithTimeout(ctx, listenCheck)
	defer cancel()
	_, err := conn.WaitForNotification(wait)
	if err == nil {
		f.nudge()
		return nil
	}
	if ctx.Err() != nil || !errors.Is(wait.Err(), context.DeadlineExceeded) || conn.IsClosed() {
		return err
	}
	ping, cancelPing := context.WithTimeout(ctx, f.r.o.AckWait)
	defer cancelPing()
	return conn.Ping(ping)
}

func (f *feed) nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}
