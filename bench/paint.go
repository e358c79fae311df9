package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

const (
	paintLoads  = 21
	paintWarmUp = 3
	paintWithin = 30 * time.Second // one load
)

// painted is what a browser says of one load; times in ms from the start of the navigation.
type painted struct {
	First float64 `json:"first"` // contentful paint
	Reply float64 `json:"reply"` // the last byte of the document
	Bytes float64 `json:"bytes"` // of HTML, CSS and script, compressed, headers included
}

const paintScript = `new Promise((done) => {
  const page = performance.getEntriesByType("navigation")[0];
  const bytes = performance.getEntriesByType("resource").reduce((n, e) => n + (/\.(css|js)\b/.test(e.name) ? e.transferSize : 0), page.transferSize);
  new PerformanceObserver((l) => {
    const fcp = l.getEntriesByName("first-contentful-paint")[0];
    if (fcp) done({ first: fcp.startTime, reply: page.responseEnd, bytes });
  }).observe({ type: "paint", buffered: true });
})`

// benchPaint loads the front page, with one campaign on and one to come, again and again in a real browser that keeps nothing; the
// figure is the median.
func benchPaint(ctx context.Context) (result, error) {
	data, stop, err := startPlatform(ctx, "--products", "3000", "--apis", "1", "--shards", "1", "--replicas", "1")
	if err != nil {
		return result{}, err
	}
	defer stop()
	st, err := statusOf(ctx, data)
	if err != nil {
		return result{}, err
	}
	for _, args := range [][]string{{"now", "--name", "On now", "--products", "1,2,3,4"}, {"soon", "--name", "To come", "--in", "2h", "--products", "5,6"}} {
		if _, err := stampede(ctx, append([]string{"campaign", "set", "--data", data}, args...)...); err != nil {
			return result{}, err
		}
	}
	loads, err := paintings(ctx, st.URL+"/")
	if err != nil {
		return result{}, err
	}
	var first, reply, bytes []float64
	for _, p := range loads {
		first, reply, bytes = append(first, p.First), append(reply, p.Reply), append(bytes, p.Bytes)
	}
	return result{Unit: "ms", Ours: median(first), Spread: spread(first), Runs: len(loads),
		Details: map[string]any{"first_contentful_paint_ms": first, "document_there_ms": median(reply), "bytes": median(bytes)}}, nil
}

// paintings loads a page again and again in one browser, whose process and profile stay.
func paintings(ctx context.Context, url string) ([]painted, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, fmt.Errorf("%w: install chromium", err)
	}
	actx, cancel := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU)...)
	defer cancel()
	bctx, cancelTab := chromedp.NewContext(actx)
	defer cancelTab()
	keepNothing := chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
		return err
	})
	if err := chromedp.Do(bctx, chromedp.EmulateViewport(1280, 900), keepNothing); err != nil {
		return nil, err
	}
	var out []painted
	for i := range paintWarmUp + paintLoads {
		hung := time.AfterFunc(paintWithin, cancel)
		if err := chromedp.Do(bctx, chromedp.Navigate(url)); err != nil {
			return nil, err
		}
		p, err := chromedp.Run(bctx, chromedp.Evaluate[painted](paintScript, chromedp.EvalAwaitPromise))
		hung.Stop()
		if err != nil {
			return nil, err
		}
		if p.First <= 0 || p.Bytes <= 0 {
			return nil, errors.New("the browser measured nothing")
		}
		if i >= paintWarmUp {
			out = append(out, p)
		}
	}
	return out, nil
}
