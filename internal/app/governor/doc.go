// Package governor lets what a process may use follow measured pressure: collection of garbage, shares of caches, transactions at once,
// each within stated bounds and each change with its reason.
package governor
