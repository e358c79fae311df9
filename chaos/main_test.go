package chaos_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(vandalDir); dir != "" {
		os.Exit(vandal(dir))
	}
	goleak.VerifyTestMain(m)
}
