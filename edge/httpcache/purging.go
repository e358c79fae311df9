package httpcache

import "strings"

// PurgeTags removes what carries any of these surrogate keys; soft only makes it stale, so that it can still be used
// while it is refreshed or when the origin fails. When it returns nothing purged is served, nor anything whose fetch
// began before.
func (c *Cache) PurgeTags(soft bool, tags ...string) {
	keys := make([]keyHash, len(tags))
	for i, t := range tags {
		keys[i] = hashKey(kindTag, t)
	}
	c.purge(keys, soft)
}

// PurgeURL removes addresses: https://host/path?query, or /path?query for every host and scheme. The query must be
// written as Options.Query leaves it.
func (c *Cache) PurgeURL(soft bool, urls ...string) {
	keys := make([]keyHash, len(urls))
	for i, u := range urls {
		if strings.HasPrefix(u, "/") {
			keys[i] = hashKey(kindTarget, u)
			continue
		}
		scheme, rest, _ := strings.Cut(u, "://")
		host, path, found := strings.Cut(rest, "/")
		path = "/" + path
		if !found {
			path = "/"
			if h, query, ok := strings.Cut(rest, "?"); ok {
				host, path = h, "/?"+query
			}
		}
		keys[i] = hashKey(kindKey, keyOf(strings.ToLower(scheme), host, path))
	}
	c.purge(keys, soft)
}

// PurgeAll removes everything.
func (c *Cache) PurgeAll(soft bool) {
	c.notePurge(nil, soft)
}

// Recheck has the origin confirm each answer that is kept now before it is used again, for when purges may have passed
// this cache by. Unlike after a soft purge of everything, none of it is used while it is being refreshed; it still bridges
// failures of the origin.
func (c *Cache) Recheck() {
	n := c.purges.recheck()
	if c.disk != nil {
		c.disk.journal(purgeRecord{Count: n, Doubt: true})
	}
}

func (c *Cache) purge(keys []keyHash, soft bool) {
	if len(keys) > 0 {
		c.notePurge(keys, soft)
	}
}

func (c *Cache) notePurge(keys []keyHash, soft bool) {
	now := c.now()
	c.purges.purge(keys, soft, now)
	c.counts.purges.Add(1)
	if c.disk != nil {
		c.disk.journal(purgeRecord{Count: c.purges.count.Load(), Soft: soft, At: now.UnixNano(), Keys: keys})
	}
}
