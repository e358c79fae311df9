package e2e

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

func browser(t *testing.T) context.Context {
	t.Helper()
	return browserFor(t, time.Minute)
}

// browserFor is a browser that is ended after so long: one that hangs fails the test instead of the run.
func browserFor(t *testing.T, most time.Duration) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Fatal("no chromium found: `make test` installs it")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancelTab := chromedp.NewContext(ctx)
	t.Cleanup(cancelTab)
	stop := time.AfterFunc(most, cancel)
	t.Cleanup(func() { stop.Stop() })
	return ctx
}

// A person with a browser: home, a product, the bag, the order.
func TestBrowserJourney(t *testing.T) {
	p := shared.get(t)
	ctx := browser(t)
	css := func(sel string) chromedp.CSS { return chromedp.CSS(sel) }
	if err := chromedp.Do(ctx, chromedp.Navigate(p.URL+"/")); err != nil {
		t.Fatal(err)
	}
	title, err := chromedp.Run(ctx, chromedp.Title())
	if err != nil || !strings.Contains(title, "Stampede") {
		t.Errorf("home: %v, title %q", err, title)
	}
	err = chromedp.Do(ctx,
		chromedp.Click(css(`a[href^="/p/"]`)),
		chromedp.WaitVisible(css(`form[action="/bag/add"] button`)),
		chromedp.Click(css(`form[action="/bag/add"] button`)),
		chromedp.WaitVisible(css(`.added a`)), // in place: the page stays
		chromedp.Click(css(`.added a`)),
		chromedp.WaitVisible(css(`form[action="/bag/checkout"] button`)),
		chromedp.Click(css(`form[action="/bag/checkout"] button`)),
		chromedp.WaitVisible(css(`.state`)),
	)
	if err != nil {
		t.Fatal(err)
	}
	status, err := chromedp.Run(ctx, chromedp.AttributeValue(css(`.state`), "class"))
	if err != nil || !strings.Contains(status.Value, "confirmed") {
		t.Errorf("order: %v, %q", err, status.Value)
	}
}
