package app

import (
	"os"
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

// crashPoint lets a test kill this process between two steps of the checkout, or between the commit of a batch of them and
// its answers: STAMPEDE_CRASH_AT=charged:MARKER dies as by kill -9 the first time "charged" is passed, and creates MARKER
// so that it happens once.
func crashPoint() func(string) {
	point, marker, ok := strings.Cut(os.Getenv("STAMPEDE_CRASH_AT"), ":")
	if !ok || !slices.Contains(shop.CrashPoints, point) && !slices.Contains(postgres.BatchCrashPoints, point) {
		return nil
	}
	return func(at string) {
		if at != point {
			return
		}
		f, err := os.OpenFile(marker, os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return // crashed here before
		}
		_ = f.Close()
		self, _ := os.FindProcess(os.Getpid()) // never fails on Unix
		_ = self.Kill()
		select {} // nothing may run between the signal and death
	}
}
