// Package localtest gives tests real servers: PostgreSQL with or without a replica, Redis, NATS with
// JetStream. They are started on first use, belong to the test binary, and are gone with it.
//
// A package that uses it hands its tests over once:
//
//	func TestMain(m *testing.M) { localtest.Main(m) }
//
// and then, in any test, parallel or not:
//
//	dsn := localtest.Postgres(t).Database(t)  // a fresh database, dropped at the end of the test
//	redis := localtest.Redis(t)               // a server of its own
//	url := localtest.NATS(t)                  // a server of its own
//
// The servers do not force anything to disk unless asked to; see PostgresWith.
package localtest
