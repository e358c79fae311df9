// Package edgerole is the edge as the platform runs it: the engines of package edge put together (cache, firewall, limits, admission,
// waiting room, balancer), what it keeps of our own shop and what it does not, and what it reports.
package edgerole
