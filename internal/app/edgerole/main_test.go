package edgerole

import (
	"testing"

	"github.com/stampede-shop/stampede/internal/local/localtest"
)

func TestMain(m *testing.M) { localtest.Main(m) }
