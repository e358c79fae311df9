//go:build !linux

package pressure

import "errors"

// freeMemory is how many bytes programs can have before the system has to swap.
func freeMemory() (int64, error) {
	return 0, errors.New("how much memory is free can be told on Linux only")
}
