package postgres

import "github.com/jackc/pgx/v5/pgxpool"

// TuneShardPool sets up the pool of a shard for what is run there: a few prepared statements, each for a handful of
// rows by their keys. They are planned once for a connection, and never to read a table from end to end because it was
// small, or looked so, at that time. Settings that are there already stay.
func TuneShardPool(c *pgxpool.Config) {
	if c.ConnConfig.RuntimeParams == nil {
		c.ConnConfig.RuntimeParams = map[string]string{}
	}
	for name, value := range map[string]string{
		"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off",
	} {
		if _, set := c.ConnConfig.RuntimeParams[name]; !set {
			c.ConnConfig.RuntimeParams[name] = value
		}
	}
}
