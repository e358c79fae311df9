package waf

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/debuglog"
)

// RuleError says which rule file is wrong, and where.
type RuleError struct {
	File string
	Line int // of the directive, from 1; 0 when it is not known
	Err  error
}

// Error implements error.
func (e *RuleError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("waf: rule file %s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("waf: rule file %s, line %d: %v", e.File, e.Line, e.Err)
}

// Unwrap implements errors.Unwrap.
func (e *RuleError) Unwrap() error { return e.Err }

// diagnose finds out which directive the engine stumbled over: its errors do not say. It compiles once more,
// listening to which directive was read last.
func diagnose(cfg coraza.WAFConfig, sources []source, err error) error {
	read := 0
	logger := debuglog.DefaultWithPrinterFactory(func(io.Writer) debuglog.Printer {
		return func(_ debuglog.Level, message, _ string) {
			if message == "Parsing directive" {
				read++
			}
		}
	}).WithLevel(debuglog.LevelDebug)
	if _, again := coraza.NewWAF(cfg.WithDebugLogger(logger)); again == nil {
		return fmt.Errorf("waf: rules: %w", err)
	}
	for _, s := range sources {
		ds := directives(s.text)
		if read <= len(ds) {
			e := &RuleError{File: filepath.Clean(s.name), Err: err}
			if read > 0 {
				e.Line = ds[read-1].line
			}
			return e
		}
		read -= len(ds)
	}
	return fmt.Errorf("waf: rules: %w", err)
}
