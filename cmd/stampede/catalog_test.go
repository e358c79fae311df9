package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/internal/app"
)

// A load of which no record was good has failed, and says how many, where and why; good ones that are in are what was asked for.
func TestLoadWithoutGoodRecordsFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		report app.LoadReport
		json   bool
		code   int
		says   string
	}{
		{app.LoadReport{Products: 3, New: 3}, false, exitDone, ""},
		{app.LoadReport{Products: 8, Bad: 2, BadRecords: []app.BadRecord{{Line: 4, SKU: "A", Field: "price", Reason: "is missing"}, {Line: 9}}}, false, exitDone, ""},
		{app.LoadReport{Bad: 2, BadRecords: []app.BadRecord{{Line: 4, SKU: "A", Field: "price", Reason: "is missing"}, {Line: 9}}}, false, exitFail,
			"2 of 2 records were left out, the first of them on line 4: A: price: is missing"},
		{app.LoadReport{Bad: 1, BadRecords: []app.BadRecord{{Line: 1, Reason: "is not JSON"}}}, true, exitFail, "1 of 1 records were left out, the first of them on line 1: is not JSON"},
		{app.LoadReport{Bad: 1, BadRecords: []app.BadRecord{{SKU: "S1", Reason: "is taken"}}}, false, exitFail, "the first of them on S1: is taken"},
	} {
		var out, errOut bytes.Buffer
		code := exitCode(printLoad(streams{&out, &errOut}, c.report, c.json, nil), &errOut)
		if code != c.code || !strings.Contains(errOut.String(), c.says) || out.Len() == 0 {
			t.Errorf("%+v: exit %d, %q, %q", c.report, code, &out, &errOut)
		}
	}
}
