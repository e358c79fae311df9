// Package cache keeps what is expensive to read close to who reads it: in the memory of each process (L1, otter) and in
// a Redis shared by all of them (L2, rueidis), filled by a loader and invalidated by tags.
//
// A [Store] owns the connection to Redis and what is known of tags; a [Family] is a typed set of keys with its own
// time to live and its own share of memory. [Family.Get] asks L1, then L2, then the loader.
//
// # Promises
//
//   - One load per key at a time in a process. The load lives as long as anybody waits for it; the first caller leaving
//     does not end it for the others. A failed load is an error for everybody, never a zero value. [Family.GetMany] shares
//     loads key by key, with other batches and with [Family.Get].
//   - A value carries tags, named by its loader. After [Store.Invalidate] returns nil no live process serves a value that was
//     read before it under one of these tags, whatever loads were on their way. Invalidating costs the same
//     whatever number of values a tag covers.
//   - Redis may be slow, dead or empty: requests go on from L1 and the loader, and a breaker keeps them from waiting. Tags
//     invalidated meanwhile are remembered (bounded; beyond it everything in Redis is invalidated) and written before
//     Redis is used again. A Redis that lost its memory, or evicted any part of it, misses; it never revives a value.
//   - A message of the bus that was lost without anybody noticing is found out within two [Options].Beat, by the numbers that Redis
//     gives to invalidations. In a cluster, what a replica that takes over may not have heard is given up within about as long; until
//     then a process that had not heard it either may read it.
//   - An L1 hit does not allocate, but for the one in 256 that is looked at closely for the figures. What is hit most is found in a table
//     in front of L1's policy, which hears of one in 16 of these hits.
//
// # When not to use it
//
// Values are shared between callers: treat them as read-only. Whoever must not miss a change that was committed a
// moment ago by somebody who does not call Invalidate needs the database. Run Redis as a cache, without persistence: a
// snapshot loaded after a crash would bring back invalidations' past. Evict by LRU or LFU, not TTL. With hash-max-listpack-value 65536
// a read costs Redis a sixth less: a value lies in a hash of a few fields, which as a table costs more than as a list.
// When the message bus loses a member without noticing, that process may serve an old value for as long as
// [FamilyOptions].L1TTL.
//
// A service of its own on it is in examples/catalogue.
package cache
