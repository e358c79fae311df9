package queue_test

import (
	"context"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/stampede-shop/stampede/queue"
)

// Example moves an event from a transaction to a handler. It needs servers, so it is compiled and not run.
func Example() {
	ctx := context.Background()
	nc, err := queue.Connect("nats://127.0.0.1:4222", queue.ConnectOptions{Name: "worker"})
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		log.Fatal(err)
	}
	if err := queue.EnsureStreams(ctx, js, queue.StreamOptions{}); err != nil {
		log.Fatal(err)
	}
	pool, err := pgxpool.New(ctx, "postgres:///shop")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	relay := queue.NewRelay(js, []queue.Source{{Name: "shop", Pool: pool}}, queue.RelayOptions{})
	relay.Start()
	defer relay.Stop()

	mails, err := queue.NewConsumer(js, queue.ConsumerOptions{
		Durable: "mail", Topics: []string{"order.confirmed"},
		Handler: func(_ context.Context, m queue.Message) error {
			fmt.Println("mail for order", m.Key)
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	mails.Start()
	defer mails.Stop()

	tx, err := pool.Begin(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	// ... insert the order through tx, then say so in the same transaction:
	if err := queue.Append(ctx, tx, queue.Event{Topic: "order.confirmed", Key: "42", Payload: []byte(`{"order":42}`)}); err != nil {
		log.Fatal(err)
	}
	if err := tx.Commit(ctx); err != nil {
		log.Fatal(err)
	}
}
