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
	return browserFor(t, 5*time.Minute)
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
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(2*time.Minute),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancelTab := chromedp.NewContext(ctx)
	t.Cleanup(cancelTab)
	stop := time.AfterFunc(most, cancel)
	t.Cleanup(func() { stop.Stop() })
	if err := chromedp.Do(ctx); err != nil { // starts it: it ends with the context that started it
		t.Fatal(err)
	}
	return ctx
}

// loaded waits until the page's own script has begun, which it does when the page has been drawn: a click before that does what the page
// does without it.
var loaded = chromedp.Poll[chromedp.Void](`"scripted" in document.documentElement.dataset`, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(0))

// do takes the steps, and says where the browser was when they do not come to an end.
func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) { //nolint:revive // t first, as in all helpers here
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	err := chromedp.Do(limited, steps...)
	if err == nil {
		return
	}
	at, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 1500)`))
	t.Fatalf("%v at %s", err, at)
}

// add puts the product whose page is shown into the bag, in place: the page stays. Its script sends the form again, as a form, should
// the first try go wrong; then the bag is shown, which is right but not what is to be seen here.
func add(t *testing.T, ctx context.Context) { //nolint:revive // t first, as in all helpers here
	t.Helper()
	page, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href`))
	if err != nil {
		t.Fatal(err)
	}
	button, link := `form[action="/bag/add"] button`, `.added a`
	for range 5 {
		do(t, ctx, chromedp.WaitVisible(chromedp.CSS(button)), loaded, chromedp.Click(chromedp.CSS(button)),
			chromedp.WaitVisible(chromedp.CSS(link+`, form[action="/bag/checkout"] button`)))
		stayed, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.querySelector(".added a") !== null`))
		if err != nil {
			t.Fatal(err)
		}
		if stayed {
			return
		}
		t.Logf("the bag came as a page of its own, from %s", page)
		do(t, ctx, chromedp.Navigate(page))
	}
	t.Fatal("the page never stays")
}

// A person with a browser: home, a product, the bag, the order.
func TestBrowserJourney(t *testing.T) {
	p := shared.get(t)
	ctx := browser(t)
	css := func(sel string) chromedp.CSS { return chromedp.CSS(sel) }
	do(t, ctx, chromedp.Navigate(p.URL+"/"))
	title, err := chromedp.Run(ctx, chromedp.Title())
	if err != nil || !strings.Contains(title, "Stampede") {
		t.Errorf("home: %v, title %q", err, title)
	}
	do(t, ctx,
		chromedp.Click(css(`a[href^="/p/"]`)),
		chromedp.WaitVisible(css(`form[action="/bag/add"] button`)),
	)
	add(t, ctx)
	do(t, ctx,
		chromedp.Click(css(`.added a`)),
		chromedp.WaitVisible(css(`form[action="/bag/checkout"] button`)),
		chromedp.Click(css(`form[action="/bag/checkout"] button`)),
		chromedp.WaitVisible(css(`.state`)),
	)
	status, err := chromedp.Run(ctx, chromedp.AttributeValue(css(`.state`), "class"))
	if err != nil || !strings.Contains(status.Value, "confirmed") {
		t.Errorf("order: %v, %q", err, status.Value)
	}
}
