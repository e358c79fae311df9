package loadsim_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/scenario"
)

func Example() {
	browse, err := scenario.Ready("browse")
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := loadsim.Run(context.Background(), loadsim.Options{
		Target:   "http://localhost:1", // nobody is there
		Scenario: &browse,
		Rate:     500, // requests a second, however the shop does
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
