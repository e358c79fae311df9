package main

import (
	"context"
	"fmt"
)

func benchMillion(ctx context.Context) (result, error) { return result{}, fmt.Errorf("pending") }
