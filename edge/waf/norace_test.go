//go:build !race

package waf

// raced says that the race detector is on, under which the engine takes ten times as long.
const raced = false
