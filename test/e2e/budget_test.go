package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// pageCost is what a page took over the network, headers included, as a browser without any cache counts it, and how much of what
// was shown moved (cumulative layout shift).
type pageCost struct {
	Bytes map[string]int64 `json:"bytes"` // by document, css, script
	Shift float64          `json:"shift"`
	Other []string         `json:"other"` // what came from elsewhere
}

// costScript sums up the page that is shown; what moved is reported by an observer a moment after it was asked.
const costScript = `new Promise((done) => {
  const bytes = { document: performance.getEntriesByType("navigation")[0].transferSize, css: 0, script: 0 }, other = [];
  for (const e of performance.getEntriesByType("resource")) {
    if (new URL(e.name).origin !== location.origin) other.push(e.name);
    if (e.initiatorType === "script") bytes.script += e.transferSize;
    if (e.name.includes(".css")) bytes.css += e.transferSize;
  }
  let shift = 0;
  new PerformanceObserver((l) => { for (const e of l.getEntries()) if (!e.hadRecentInput) shift += e.value; }).observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => setTimeout(() => done({ bytes, shift, other }), 200));
})`

const (
	budgetBytes = 60_000
	budgetShift = 0.1
)

// The front page, with campaigns on it, stays within its budget on a phone and on a desk, writes nothing to the console, breaks
// nothing of its own strict policy, and loads nothing from elsewhere.
func TestFrontPageBudget(t *testing.T) {
	p := shared.get(t)
	item := p.newProduct(t, "budget-1", 4900, 50)
	p.campaign(t, "budget-now", "On now", "--products", fmt.Sprint(item.ID))
	p.campaign(t, "budget-soon", "To come", "--in", "2h", "--category", "Tests")
	strict(t, newShopper(p.URL).must(t, http.StatusOK, "GET", "/", nil, "Accept", "text/html").Header.Get("Content-Security-Policy"))
	for _, width := range []int64{390, 1280} {
		ctx := browser(t)
		messages := chromedp.Console(ctx)
		noCache := chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
			return err
		})
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), noCache, chromedp.Navigate(p.URL+"/")); err != nil {
			t.Fatal(err)
		}
		cost, err := chromedp.Run(ctx, chromedp.Evaluate[pageCost](costScript, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		for kind, n := range cost.Bytes {
			if n <= 0 && kind != "css" { // styles are part of the document
				t.Errorf("%s was not counted: %+v", kind, cost)
			}
			sum += n
		}
		t.Logf("%d wide: %d bytes, %v; layout shift %.4f", width, sum, cost.Bytes, cost.Shift)
		if sum >= budgetBytes || cost.Shift > budgetShift {
			t.Errorf("%d wide: %d bytes (%v) of %d, layout shift %.3f of %.1f", width, sum, cost.Bytes, budgetBytes, cost.Shift, budgetShift)
		}
		if len(cost.Other) > 0 {
			t.Errorf("loaded from elsewhere: %q", cost.Other)
		}
		// The mark comes after whatever the page itself has written.
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`(console.log("end of the page"), true)`)); err != nil {
			t.Fatal(err)
		}
		stop := time.AfterFunc(time.Minute, func() { t.Error("the console does not end") })
		for m, err := range messages {
			if err != nil {
				t.Fatal(err)
			}
			if m.Text == "end of the page" {
				break
			}
			t.Errorf("%d wide, on the console: %s", width, m)
		}
		stop.Stop()
	}
}

// strict fails for a policy that lets a page run or load what is not the shop's own; pictures may come from other hosts.
func strict(t *testing.T, policy string) {
	t.Helper()
	rules := map[string]string{}
	for rule := range strings.SplitSeq(policy, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(rule), " ")
		rules[name] = value
	}
	for name, want := range map[string]string{"default-src": "'none'", "script-src": "'self'", "connect-src": "'self'",
		"form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'", "img-src": "'self' https:"} {
		if rules[name] != want {
			t.Errorf("policy %s is %q, want %q", name, rules[name], want)
		}
	}
	if style := rules["style-src"]; !strings.HasPrefix(style, "'sha256-") || strings.Contains(style, " ") {
		t.Errorf("policy style-src is %q, want the hash of our one style sheet", style)
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("an unsafe policy: %s", policy)
	}
}
