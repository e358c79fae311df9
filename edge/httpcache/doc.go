// Package httpcache is a shared HTTP cache (RFC 9111) as an http.Handler in front of another one.
//
// # What it promises
//
//   - Freshness by s-maxage, max-age, Expires or, where the RFC allows it, a guess from Last-Modified; Age on what it
//     serves; no-store, private, no-cache, must-revalidate, proxy-revalidate, must-understand; fields named by
//     no-cache="…" and private="…" are not kept.
//   - Targeted control (RFC 9213): Surrogate-Control, then CDN-Cache-Control, go before Cache-Control. Surrogate-* fields
//     end here.
//   - Vary, with Accept-Encoding and Accept-Language brought to one form; validation with ETag and Last-Modified towards
//     the origin, 304 towards the client; HEAD and single ranges out of a stored GET; unsafe methods invalidate.
//   - stale-while-revalidate and stale-if-error (RFC 5861); answers of origins that fail are bridged for a while.
//   - One fetch for any number of clients that miss the same thing at once. A leader whose answer may not be shared, or is
//     refused, keeps nobody from asking in turn.
//   - What carries Set-Cookie is never kept; what answers a request with Authorization or Cookie only if it says that it
//     is for everybody. Headers that often change answers without being part of the key (X-Forwarded-Host, X-Original-Url,
//     method overrides and the like) are not passed on by a fetch whose answer may be kept.
//   - Purging by surrogate key, by address and of everything, hard or soft, takes effect before the call returns, takes
//     constant time, and covers fetches that are under way: what was asked of the origin before the purge is not served
//     after it.
//   - Memory and disk are bounded in bytes (eviction by SIEVE, NSDI '24); what is on the disk outlives a restart.
//   - Cache-Status (RFC 9211) tells in each answer what was done.
//
// # When not to use it
//
// It is a shared cache: a browser's private one has other rules. Answers larger than Options.MaxObject, event streams and
// partial answers (206) are passed on, not kept. Requests for several ranges get the whole. CONFORMANCE.md goes through
// what the public suite for HTTP caches finds missing.
package httpcache
