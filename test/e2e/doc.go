// Package e2e tests the whole platform from outside: one plain binary, real servers, shoppers over HTTP, a browser,
// and kill -9.
package e2e
