package postgres_test

import (
	"os"
	"testing"

	"github.com/stampede-shop/stampede/internal/local/localtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(sellerEnv) != "" {
		sell()
	}
	localtest.Main(m)
}
