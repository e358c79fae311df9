// Package httpapi is the shop over HTTP: the JSON calls of the shopper API, their OpenAPI 3.1 document, and the
// middleware (request ids, logs, metrics, Server-Timing, compression, recovery) that the storefront shares.
//
// One table of routes drives everything: what is mounted, who may call it, what a body must look like, and the
// document. A body is checked against the very schema that the document shows, so the two cannot drift apart.
//
// Errors leave through one place as RFC 9457 problems; their type is a relative reference, /problems/<code>, stable
// for each [shop.Code], and a GET of it explains the code.
//
// Catalogue answers never look at a cookie and never set one. Cart, order and user calls always have a session:
// whoever comes without one is made a guest first.
package httpapi
