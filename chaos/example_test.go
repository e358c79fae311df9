package chaos_test

import (
	"context"
	"fmt"
	"time"

	"github.com/stampede-shop/stampede/chaos"
)

func Example() {
	door := "open"
	var faults chaos.Registry
	faults.Add(chaos.Fault{
		Name: "door-shut", About: "shuts the door", Blast: "whoever wants to go through", Limit: time.Minute,
		Plan: func(context.Context, chaos.Values) (chaos.Plan, error) {
			return chaos.Plan{Target: "door", Inject: func(context.Context, func(any) error) (chaos.Undo, error) {
				door = "shut"
				return func(context.Context) error { door = "open"; return nil }, nil
			}}, nil
		},
	})
	in, err := chaos.New(&faults, chaos.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if _, err := in.Inject(ctx, chaos.Request{Fault: "door-shut", For: 10 * time.Second}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(door)
	if err := in.Stop(ctx); err != nil { // the kill switch
		fmt.Println(err)
	}
	fmt.Println(door)
	// Output:
	// shut
	// open
}
