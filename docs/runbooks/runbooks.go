// Package runbooks carries the runbooks of the alerts in the binary, so that the dashboard can show them where the alert is.
package runbooks

import "embed"

// Files are NAME.md for each rule called NAME.
//
//go:embed *.md
var Files embed.FS
