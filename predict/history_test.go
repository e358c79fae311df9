package predict_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/predict"
)

const sheet = `InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,B,"A, quoted",2,2011-01-03 09:00:00,2.5,17850.0,United Kingdom
1,A,CUP,3,2011-01-03 09:00:00,1.0,,United Kingdom
2,A,CUP,5,2011-01-03 10:30:00,2.0,17850.0,United Kingdom
C3,A,CUP,-5,2011-01-03 10:31:00,2.0,17850.0,United Kingdom
4,A,damaged,-9,2011-01-03 10:32:00,0,,United Kingdom
1,A,CUP,1,2011-01-03 10:33:00,1.0,,United Kingdom
5,C,LAMP,9,2011-01-05 08:00:00,1.0,,France
`

func readSheet(t *testing.T, text string, h predict.Horizon) (predict.History, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sales.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return predict.ReadHistory(context.Background(), predict.Dir(path), h)
}

// Days and hours of a small sheet, by hand: cancellations and corrections are left out, days without sales skipped.
func TestReadHistory(t *testing.T) {
	t.Parallel()
	day := func(d, h int) time.Time { return time.Date(2011, 1, d, h, 0, 0, 0, time.UTC) }
	lamp := predict.Product{Code: "C", Name: "LAMP", Units: 9, Orders: 1, Price: 1}
	for horizon, want := range map[predict.Horizon][]predict.Period{
		predict.Day: {
			{Start: day(3, 0), Products: []predict.Product{{Code: "A", Name: "CUP", Units: 9, Orders: 2, Price: 14. / 9}, {Code: "B", Name: "A, quoted", Units: 2, Orders: 1, Price: 2.5}}, Baskets: [][]int{{0, 1}, {0}}},
			{Start: day(5, 0), Products: []predict.Product{lamp}, Baskets: [][]int{{0}}},
		},
		predict.Hour: {
			{Start: day(3, 9), Products: []predict.Product{{Code: "A", Name: "CUP", Units: 3, Orders: 1, Price: 1}, {Code: "B", Name: "A, quoted", Units: 2, Orders: 1, Price: 2.5}}, Baskets: [][]int{{0, 1}}},
			{Start: day(3, 10), Products: []predict.Product{{Code: "A", Name: "CUP", Units: 6, Orders: 2, Price: 11. / 6}}, Baskets: [][]int{{0}, {0}}},
			{Start: day(5, 8), Products: []predict.Product{lamp}, Baskets: [][]int{{0}}},
		},
	} {
		h, err := readSheet(t, sheet, horizon)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, h.Periods); d != "" {
			t.Errorf("%s: %s", horizon, d)
		}
	}
}

// What is wrong is named with its file and line.
func TestReadHistoryRefuses(t *testing.T) {
	t.Parallel()
	head := "InvoiceNo,StockCode,Quantity,InvoiceDate\n"
	for text, want := range map[string]string{
		"":                                       "no first line",
		"InvoiceNo,StockCode,Quantity\n":         "no column InvoiceDate",
		head + "1,A,x,2011-01-03 09:00:00\n":     `sales.csv, line 2: column Quantity: "x"`,
		head + "1,A,NaN,2011-01-03 09:00:00\n":   `"NaN"`,
		head + "1,A,1e300,2011-01-03 09:00:00\n": `"1e300"`,
		head + "1,A,1,yesterday\n":               `line 2: column InvoiceDate: "yesterday"`,
		head + "1,A,1\n":                         "wrong number of fields",
		head + "1,A,1,2011-01-03 09:00:00\n2,A,1,2011-01-02 09:00:00\n": "have to be in order",
	} {
		if _, err := readSheet(t, text, predict.Day); !errors.Is(err, predict.ErrHistory) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none")} {
		if _, err := predict.ReadHistory(context.Background(), predict.Dir(path), predict.Day); !errors.Is(err, predict.ErrHistory) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := readSheet(t, sheet, "week"); !errors.Is(err, predict.ErrOptions) {
		t.Error(err)
	}
}

// Units are neither lost nor made: by hour and by day they add up to what was sold.
func TestHistoryKeepsUnits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at, want := time.Date(2011, 1, 3, 0, 0, 0, 0, time.UTC), map[string]float64{}
		var sales predict.Sales
		for i := range rapid.IntRange(0, 60).Draw(t, "lines") {
			at = at.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "later")) * time.Hour)
			s := predict.Sale{Invoice: rapid.SampledFrom([]string{"1", "2", "C3"}).Draw(t, "invoice"), Code: rapid.SampledFrom([]string{"A", "B", ""}).Draw(t, "code"),
				Quantity: float64(rapid.IntRange(-3, 9).Draw(t, "units")), At: at, Name: fmt.Sprint(i)}
			sales = append(sales, s)
			if s.Invoice != "C3" && s.Code != "" && s.Quantity > 0 {
				want[s.Code] += s.Quantity
			}
		}
		for _, horizon := range []predict.Horizon{predict.Day, predict.Hour} {
			h, err := predict.ReadHistory(context.Background(), sales, horizon)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]float64{}
			for i, p := range h.Periods {
				if i > 0 && !p.Start.After(h.Periods[i-1].Start) {
					t.Fatal("not in order")
				}
				for _, x := range p.Products {
					got[x.Code] += x.Units
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatal(d)
			}
		}
	})
}

func TestRankedBreaksTiesByCode(t *testing.T) {
	t.Parallel()
	p := predict.Period{Products: []predict.Product{{Code: "B", Units: 2}, {Code: "C", Units: 5}, {Code: "A", Units: 2}}}
	if d := cmp.Diff([]int{1, 2}, p.Ranked(2)); d != "" {
		t.Error(d)
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add(sheet)
	f.Add("InvoiceNo,StockCode,Quantity,InvoiceDate\n1,A,1,2011-01-03 09:00:00\n\"")
	f.Add("\ufeffInvoiceDate,Quantity,StockCode,InvoiceNo\r\n2011-01-03,1e9,A,\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		n := 0
		for s, err := range predict.ReadCSV(strings.NewReader(text), "it") {
			if err != nil {
				if !errors.Is(err, predict.ErrHistory) || !strings.Contains(err.Error(), "it") {
					t.Fatal(err)
				}
				return
			}
			if n++; s.Quantity != s.Quantity || s.Quantity > 1e9 || s.At.IsZero() {
				t.Fatalf("%+v", s)
			}
		}
		if lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1; n > lines {
			t.Fatalf("%d sales in %d lines", n, lines)
		}
	})
}
