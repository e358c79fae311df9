// Package postgres is the shop on PostgreSQL.
//
// [Catalog] keeps products in the replicated catalogue database. [Shards] keeps everything else (users, carts, stock,
// checkouts, orders) spread over shard databases by the sharding key that the comment of each table names;
// [TestPay] is a payment provider for development with a durable ledger on the shards; [Audit] checks that the books of
// all shards agree.
//
// SQL lives in queries/ and migrations/; catalogdb and sharddb are generated from it. A shard operation is one implicit
// transaction on one shard, sent in one round trip (see pipe): no transaction ever spans two shards, and no lock is
// held while another server is waited for. What has to happen on a second shard follows from what the first one
// recorded, and can be repeated.
package postgres
