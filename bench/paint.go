package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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
	First  float64 `json:"first"`  // contentful paint
	Reply  float64 `json:"reply"`  // the last byte of the document
	Parsed float64 `json:"parsed"` // all of the document
	Bytes  float64 `json:"bytes"`  // of HTML, CSS and script, compressed, headers included
}

const paintScript = `new Promise((done) => {
  const page = performance.getEntriesByType("navigation")[0];
  const bytes = performance.getEntriesByType("resource").reduce((n, e) => n + (/\.(css|js)\b/.test(e.name) ? e.transferSize : 0), page.transferSize);
  new PerformanceObserver((l) => {
    const fcp = l.getEntriesByName("first-contentful-paint")[0];
    if (fcp) done({ first: fcp.startTime, reply: page.responseEnd, parsed: page.domInteractive, bytes });
  }).observe({ type: "paint", buffered: true });
})`

// benchPaint loads the front page, with one campaign on and one to come, again and again in a real browser that keeps nothing; the
// figure is the median. Beside it stands that of a page which is one line of text: no page takes less there.
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
	line := oneLine()
	defer line.Close()
	lines, err := paintings(ctx, line.URL)
	if err != nil {
		return result{}, err
	}
	loads, err := paintings(ctx, st.URL+"/")
	if err != nil {
		return result{}, err
	}
	floor, first := figures(lines, painted.first), figures(loads, painted.first)
	middle := func(figure func(painted) float64) float64 { return median(figures(loads, figure)) }
	return result{Unit: "ms", Ours: median(first), Anchor: median(floor), Ratio: median(first) / median(floor), Spread: spread(first), Runs: len(first),
		Details: map[string]any{"first_contentful_paint_ms": first, "one_line_of_text_ms": floor,
			"document_there_ms": middle(func(p painted) float64 { return p.Reply }), "parsed_ms": middle(func(p painted) float64 { return p.Parsed }),
			"bytes": middle(func(p painted) float64 { return p.Bytes })}}, nil
}

func (p painted) first() float64 { return p.First }

func figures(loads []painted, figure func(painted) float64) (list []float64) {
	for _, p := range loads {
		list = append(list, figure(p))
	}
	return list
}

// oneLine serves a page that has next to nothing on it.
func oneLine() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!doctype html><html lang=en><title>Nothing</title><p>This is all there is.")
	}))
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
