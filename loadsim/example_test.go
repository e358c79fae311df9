package loadsim_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/stampede-shop/stampede/loadsim"
)

func Example() {
	report, err := loadsim.Run(context.Background(), loadsim.Options{
		Target:   "http://localhost:1", // nobody is there
		Users:    100,
		Duration: 30 * time.Second,
	})
	if errors.Is(err, loadsim.ErrUnreachable) {
		fmt.Println("start the shop first")
		return
	}
	if err == nil {
		_ = report.WriteText(os.Stdout)
	}
	// Output: start the shop first
}
