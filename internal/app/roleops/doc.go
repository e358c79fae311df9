// Package roleops is what every role's process has: an operations endpoint with health, metrics, profiles and traces, and what it
// measures of itself.
package roleops
