//go:build !unix

package httpcache

import "os"

// lockDir does nothing where folders cannot be locked.
func lockDir(string) (*os.File, error) { return nil, nil }
