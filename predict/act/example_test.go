package act_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/predict/act"
)

func Example() {
	a, err := act.New(act.Options{Settings: []act.Setting{{Name: "checkout_slots", Against: []string{"hotrow"}, Base: 4, Bound: 12}}, Confirm: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	full := []act.Cause{{Kind: "hotrow", Resource: "hotrow/api-1", Title: "what has to come one after the other takes all the time", Confidence: 0.9}}
	for _, t := range append(a.Step(now, full), a.Off(now.Add(time.Second))...) {
		fmt.Printf("%s from %v to %v: %s\n", t.Setting, t.From, t.To, t.Reason)
	}
	// Output:
	// checkout_slots from 4 to 6: what has to come one after the other takes all the time
	// checkout_slots from 6 to 4: acting was switched off
}

func BenchmarkStep(b *testing.B) {
	a, err := act.New(act.Options{Settings: []act.Setting{{Name: "checkout_slots", Against: []string{"hotrow"}, Base: 4, Bound: 12}}})
	if err != nil {
		b.Fatal(err)
	}
	causes := []act.Cause{{Kind: "cpu", Confidence: 0.9}, {Kind: "hotrow", Confidence: 0.9}}
	now := time.Now()
	for b.Loop() {
		now = now.Add(time.Second)
		a.Step(now, causes)
	}
}
