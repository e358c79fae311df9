package main

import (
	"slices"
	"testing"
)

// A name means one benchmark where one has it, and the group of that name otherwise.
func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"events":     {"events"},
		"events-sql": {"events-sql"},
		"growth":     {"growth-shards", "growth-products", "growth-orders"},
		"event":      nil,
	} {
		var got []string
		for _, b := range benchmarks {
			if b.is(name) {
				got = append(got, b.name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q means %q, want %q", name, got, want)
		}
	}
}

func TestChosenParts(t *testing.T) {
	t.Parallel()
	for list, want := range map[string][]string{
		"":             {"bare", "minute", "unbounded", "windows", "http"},
		"http,windows": {"bare", "unbounded", "windows", "http"},
		"minute":       {"bare", "minute"},
	} {
		parts, err := chosenParts(list)
		var got []string
		for _, p := range parts {
			got = append(got, p.name)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q chooses %q (%v), want %q", list, got, err, want)
		}
	}
	if _, err := chosenParts("http,all"); err == nil {
		t.Error("a part that does not exist is chosen")
	}
}
