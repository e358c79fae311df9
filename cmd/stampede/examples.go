package main

// Commands that only hold others, and those without anything to explain, have an example too.

func (catalogCmd) Help() string {
	return "Examples:\n  stampede catalog import products.ndjson\n  stampede catalog generate --products 100000"
}

func (campaignCmd) Help() string {
	return "Examples:\n  stampede campaign list\n  stampede campaign set night --name \"Night sale\" --in 10m --products 3,1,2"
}

func (queueCmd) Help() string { return "Examples:\n  stampede queue list\n  stampede queue dead" }

func (shardCmd) Help() string {
	return "Examples:\n  stampede shard locate alice bob 42\n  stampede shard balance"
}

func (cacheCmd) Help() string {
	return "Examples:\n  stampede cache stats\n  stampede cache purge --tag p:42\n  stampede cache warm --top 5000"
}

func (configCmd) Help() string {
	return "Examples:\n  stampede config check --config /etc/stampede.yaml\n  stampede config show"
}

func (versionCmd) Help() string { return "Example:\n  stampede version" }

func (helpCmd) Help() string { return "Example:\n  stampede help catalog import" }

func (analyticsCmd) Help() string {
	return "Examples:\n  stampede analytics query \"SELECT kind, count(*) FROM events GROUP BY kind\"\n  stampede analytics report funnel"
}
