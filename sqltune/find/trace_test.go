package find

import (
	"fmt"
	"strings"
	"testing"
)

func TestRepeatedStatements(t *testing.T) {
	t.Parallel()
	var doc strings.Builder
	doc.WriteString(`{"request":"a","sql":"SELECT * FROM carts WHERE id = 'x'","ms":5}` + "\n")
	for i := range 20 {
		fmt.Fprintf(&doc, `{"trace_id":"a","statement":"SELECT * FROM products WHERE id = %d","duration_ms":2}`+"\n", i)
		fmt.Fprintf(&doc, `{"request":"r%d","sql":"SELECT now()","ms":1}`+"\n", i) // once in each of many requests
	}
	calls, err := ReadCalls([]byte(doc.String()))
	if err != nil {
		t.Fatal(err)
	}
	found := Calls(calls, Options{})
	if len(found) != 1 || found[0].Rule != Repeated || found[0].Path != "a" || found[0].Evidence != "20 times, 40.0 ms" || found[0].Share < 0.88 || found[0].Share > 0.9 {
		t.Errorf("%+v", found)
	}
}

func TestReadCalls(t *testing.T) {
	t.Parallel()
	spans := `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"t1","name":"q","startTimeUnixNano":"1000000","endTimeUnixNano":"4000000",
		"attributes":[{"key":"db.query.text","value":{"stringValue":"SELECT 1"}}]},{"traceId":"t1","name":"other"}]}]}]}`
	for doc, want := range map[string]string{
		spans:                        "[{t1 SELECT 1 3}]",
		"SELECT 1; SELECT ';'; -- x": "[{ SELECT 1 0} { SELECT ';' 0}]",
		`{"sql":"SELECT 1"}` + "\n\n" + `{"x":1}`: "[{ SELECT 1 0}]",
	} {
		calls, err := ReadCalls([]byte(doc))
		if got := fmt.Sprint(calls); got != want || err != nil {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
	for _, doc := range []string{"", `{"x":1}`, "{"} {
		if _, err := ReadCalls([]byte(doc)); err == nil {
			t.Errorf("%q: no error", doc)
		}
	}
}
