package localtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/rueidis"

	"github.com/stampede-shop/stampede/internal/local/localtest"
)

func TestMain(m *testing.M) { localtest.Main(m) }

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestDatabasesAreSeparateAndEmpty(t *testing.T) {
	t.Parallel()
	server := localtest.Postgres(t)
	for range 2 {
		conn := connect(t, server.Database(t))
		exec(t, conn, "CREATE EXTENSION pg_trgm")
		exec(t, conn, "CREATE TABLE only_one (id int)")
	}
}

func TestReplicaFollowsThroughKills(t *testing.T) {
	t.Parallel()
	pair := localtest.Replicated(t)
	primary := connect(t, pair.PrimaryDSN)
	exec(t, primary, "CREATE TABLE seen AS SELECT 1 AS n")
	pair.Replica.Kill()
	exec(t, primary, "INSERT INTO seen VALUES (2)")
	pair.Replica.Restart(t)
	replica := connect(t, pair.ReplicaDSN)
	localtest.Eventually(t, "the standby has both rows", func() bool {
		var n int
		err := replica.QueryRow(t.Context(), "SELECT count(*) FROM seen").Scan(&n)
		return err == nil && n == 2
	})
	if _, err := replica.Exec(t.Context(), "INSERT INTO seen VALUES (3)"); err == nil {
		t.Fatal("the standby took a write")
	}
}

func TestDurableServerSurvivesKill(t *testing.T) {
	t.Parallel()
	server := localtest.PostgresWith(t, localtest.PostgresOptions{Durable: true})
	dsn := server.Database(t)
	exec(t, connect(t, dsn), "CREATE TABLE kept AS SELECT 42 AS n")
	server.Kill()
	server.Restart(t)
	var n int
	if err := connect(t, dsn).QueryRow(t.Context(), "SELECT n FROM kept").Scan(&n); err != nil || n != 42 {
		t.Fatalf("after the crash: %d, %v", n, err)
	}
}

// What commits did not wait to see on disk is lost with all processes at once, when nobody has written it down in the meantime.
func TestKillAllLosesWhatWasNotWritten(t *testing.T) {
	t.Parallel()
	server := localtest.PostgresWith(t, localtest.PostgresOptions{Settings: map[string]string{"wal_writer_delay": "10s"}})
	dsn := server.Database(t)
	conn := connect(t, dsn)
	exec(t, conn, "CREATE TABLE kept (n int)")
	exec(t, conn, "INSERT INTO kept VALUES (1)")
	exec(t, conn, "SET synchronous_commit = off")
	exec(t, conn, "INSERT INTO kept VALUES (2)")
	server.KillAll(t)
	server.Restart(t)
	var n int
	if err := connect(t, dsn).QueryRow(t.Context(), "SELECT sum(n) FROM kept").Scan(&n); err != nil || n != 1 {
		t.Fatalf("after the crash: %d, %v", n, err)
	}
}

func TestRedisLosesAllAndComesBackAtItsAddress(t *testing.T) {
	t.Parallel()
	server := localtest.Redis(t)
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx := t.Context()
	if err := client.Do(ctx, client.B().Set().Key("k").Value("v").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	server.Restart(t)
	localtest.Eventually(t, "the client is back and the key gone", func() bool {
		return rueidis.IsRedisNil(client.Do(ctx, client.B().Get().Key("k").Build()).Error())
	})
	server.Pause()
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := client.Do(short, client.B().Ping().Build()).Error(); err == nil {
		t.Fatal("a paused server answered")
	}
	server.Resume()
	localtest.Eventually(t, "it answers again", func() bool { return client.Do(ctx, client.B().Ping().Build()).Error() == nil })
}

func TestNATSHasJetStream(t *testing.T) {
	t.Parallel()
	nc, err := nats.Connect(localtest.NATS(t))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}}); err != nil {
		t.Fatal(err)
	}
	ack, err := js.Publish(t.Context(), "s.a", []byte("hello"))
	if err != nil || ack.Sequence != 1 {
		t.Fatalf("publish: %+v, %v", ack, err)
	}
}
