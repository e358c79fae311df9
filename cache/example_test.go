package cache_test

import (
	"context"
	"fmt"

	"github.com/stampede-shop/stampede/cache"
)

func Example() {
	store, err := cache.NewStore(cache.Options{}) // Options.Redis and Options.Bus join processes
	if err != nil {
		panic(err)
	}
	defer store.Close()

	type product struct{ Name string }
	products := cache.New[product](store, "product", cache.FamilyOptions{})
	name := "Kettle"
	load := func(context.Context) (product, []string, error) {
		return product{Name: name}, []string{"p:7"}, nil // ask the database here
	}

	ctx := context.Background()
	p, from, _ := products.Get(ctx, "7", load)
	fmt.Println(p.Name, from)
	name = "Teapot" // somebody writes to the database, then says so
	p, from, _ = products.Get(ctx, "7", load)
	fmt.Println(p.Name, from)
	_ = store.Invalidate(ctx, []string{"p:7"})
	p, from, _ = products.Get(ctx, "7", load)
	fmt.Println(p.Name, from)
	// Output:
	// Kettle load
	// Kettle l1
	// Teapot load
}
