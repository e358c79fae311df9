package analytics

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func at(t time.Time) ReadOptions {
	return ReadOptions{Now: func() time.Time { return t }, Source: "web"}
}

func TestReadJSON(t *testing.T) {
	t.Parallel()
	id := NewID()
	full := fmt.Sprintf(`{"id":%q,"time":"2026-11-26T11:59:58.5Z","kind":"add","shopper":"s1","product":7,"category":"a/b","query":"q","quantity":2,"amount":1299,"currency":"EUR","source":"app","attributes":{"x":[1]}}`, id)
	for name, body := range map[string]string{"array": "[" + full + `,{"kind":"view"}]`, "lines": full + "\n\n" + `{"kind":"view"}` + "\n", "spaced": " \n[ " + full + ` , {"kind":"view"} ] `} {
		events, err := ReadJSON([]byte(body), at(noon))
		if err != nil || len(events) != 2 {
			t.Fatalf("%s: %v %v", name, events, err)
		}
		want := Event{ID: id, Time: noon.Add(-1500 * time.Millisecond), Kind: KindAdd, Shopper: HashShopper("s1"), Product: 7, Category: "a/b", Query: "q", Quantity: 2, Amount: 1299,
			Currency: "EUR", Source: "app", Attributes: `{"x":[1]}`}
		if got := events[0]; got != want {
			t.Errorf("%s: %+v", name, got)
		}
		if e := events[1]; e.Kind != KindView || !e.Time.Equal(noon) || e.ID.IsZero() || e.Source != "web" {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// product_id is another name of product.
func TestReadJSONProductID(t *testing.T) {
	t.Parallel()
	for _, fields := range []string{`"product_id":7`, `"product":7,"product_id":7`, `"product":null,"product_id":7`, `"product":7,"product_id":null`} {
		events, err := ReadJSON([]byte(`[{"kind":"view",`+fields+`}]`), at(noon))
		if err != nil || events[0].Product != 7 {
			t.Errorf("%s: %v %v", fields, events, err)
		}
	}
}

func TestReadJSONTimes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		`"2026-11-26T12:00:30Z"`: noon.Add(30 * time.Second), `"2026-11-26T12:05:00Z"`: noon, // its clock is ahead
		`1795694400000`: noon, `"2026-11-20T12:00:00Z"`: noon.AddDate(0, 0, -6), "null": noon, // 1795694400000 is noon
	} {
		events, err := ReadJSON([]byte(`[{"kind":"view","time":`+text+`}]`), at(noon))
		if err != nil || !events[0].Time.Equal(want) {
			t.Errorf("%s: %v %v", text, events, err)
		}
	}
	for _, text := range []string{`"2026-11-26T13:00:00Z"`, `"2026-11-01T00:00:00Z"`, `"yesterday"`, `{}`, `1.5`} {
		var e *EventError
		if _, err := ReadJSON([]byte(`[{"kind":"view"},{"kind":"view","time":`+text+`}]`), at(noon)); !errors.As(err, &e) || e.Index != 1 || e.Fields[0].Field != "time" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestReadJSONSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]struct {
		index int
		field string
	}{
		`[{"kind":"order"}]`: {0, "kind"}, `[{"kind":"nothing"}]`: {0, "kind"}, `[{}]`: {0, "kind"},
		`[{"kind":"view"},{"kind":"view","id":"x"}]`:                                        {1, "id"},
		`[{"kind":"view","id":"` + DerivedID("an order").String() + `"}]`:                   {0, "id"},
		`[{"kind":"view","product":7,"product_id":8}]`:                                      {0, "product_id"},
		`[{"kind":"view","product_id":-1}]`:                                                 {0, "product"},
		`[{"kind":"view","quantity":-1}]`:                                                   {0, "quantity"},
		`[{"kind":"view","currency":"euro"}]`:                                               {0, "currency"},
		`[{"kind":"view","attributes":[1]}]`:                                                {0, "attributes"},
		`[{"kind":"view","query":"` + strings.Repeat("x", MaxText+1) + `"}]`:                {0, "query"},
		`[{"kind":"view"}` + "\n" + `,{"kind":"view","colour":"red"}]`:                      {1, ""},
		`{"kind":"view"}` + "\n" + `{"kind":`:                                               {1, ""},
		`[{"kind":"view"}`:                                                                  {1, ""},
		`[{"kind":"view"}] x`:                                                               {1, ""},
		`[{"kind":"view","product":"seven"}]`:                                               {0, ""},
		`[1]`:                                                                               {0, ""},
		`[` + strings.Repeat(`{"kind":"view"},`, 10_000) + `{"kind":"view"}]`:               {10_000, ""},
		`[{"kind":"view","attributes":{"x":"` + strings.Repeat("x", MaxAttributes) + `"}}]`: {0, "attributes"},
	} {
		var e *EventError
		_, err := ReadJSON([]byte(body), at(noon))
		if !errors.As(err, &e) || e.Index != want.index || want.field != "" && (len(e.Fields) != 1 || e.Fields[0].Field != want.field) {
			t.Errorf("%.80s: %v", body, err)
		}
	}
	for _, body := range []string{"", "[]", " \n"} {
		if _, err := ReadJSON([]byte(body), at(noon)); !errors.Is(err, ErrNoEvents) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func FuzzReadJSON(f *testing.F) {
	f.Add([]byte(`[{"kind":"view","time":1}]`))
	f.Add([]byte(`{"kind":"add","attributes":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := ReadJSON(body, at(noon))
		if err == nil {
			for i := range events {
				if err := events[i].Check(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkReadJSON(b *testing.B) {
	var list []map[string]any
	for i := range 1000 {
		list = append(list, map[string]any{"id": NewID().String(), "time": noon, "kind": "view", "shopper": fmt.Sprint("shopper ", i), "product": i, "category": "home/lamps", "source": "web"})
	}
	body, _ := json.Marshal(list)
	for b.Loop() {
		if _, err := ReadJSON(body, at(noon)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
}
