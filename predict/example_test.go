package predict_test

import (
	"context"
	"fmt"
	"time"

	"github.com/stampede-shop/stampede/predict"
)

func Example() {
	var sales predict.Sales // lamps sell on Mondays, cups on all days
	day := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	for i := range 60 {
		sales = append(sales, predict.Sale{Invoice: fmt.Sprint(i), Code: "cup", Quantity: 2, At: day})
		if day.Weekday() == time.Monday {
			sales = append(sales, predict.Sale{Invoice: fmt.Sprint(i), Code: "lamp", Quantity: 50, At: day})
		}
		day = day.AddDate(0, 0, 1)
	}
	ctx := context.Background()
	history, err := predict.ReadHistory(ctx, sales, predict.Day)
	if err != nil {
		fmt.Println(err)
		return
	}
	model, err := predict.Train(ctx, history, predict.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range model.Top(time.Time{}, 2) {
		fmt.Println(f.Code)
	}
	// Output:
	// lamp
	// cup
}
