// Package wire answers the simplest HTTP/1.1 requests of a connection before net/http sees them.
//
// A [Listener] wraps the connections of another one for http.Server. Whenever net/http is about to read the next request
// of a connection, [Conn.Read] looks at it first. If it is plain beyond doubt, the [Answerer] may answer it, straight
// from the bytes; net/http never learns that it was there. Everything else, and every request that the Answerer does not
// want, is handed to net/http byte for byte.
//
// What makes this safe: the parser accepts a strict subset of RFC 9112, so that it and net/http cannot disagree about
// where a request ends (it is fuzzed against net/http). Of what it understands exactly one request at a time is handed
// over, head and body, so that net/http holds nothing of the next one when it asks for it. At the first thing that it
// does not understand (chunked bodies, upgrades, HTTP/1.0, folded lines, bare line feeds, white space before a colon,
// repeated Host or Content-Length, anything out of the ordinary) it steps aside for the rest of the connection.
package wire
