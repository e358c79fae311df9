package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// picturesEnv names a folder for pictures of what the browser shows, for people to look at.
const picturesEnv = "STAMPEDE_PICTURES"

// picture keeps what the browser shows in that folder.
func picture(t *testing.T, png []byte, name string) {
	t.Helper()
	dir := os.Getenv(picturesEnv)
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Error(err)
	}
}

// The dashboard is behind a sign-in, moves while shoppers come, and shows their orders.
func TestDashboard(t *testing.T) {
	p := shared.get(t)
	ctx := browser(t)
	css := func(sel string) chromedp.CSS { return chromedp.CSS(sel) }
	done, passer := make(chan struct{}), newShopper(p.URL)
	defer close(done)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond): // the pace of the load
			}
			for _, path := range []string{"/products?limit=5", "/cart"} { // what the edge has, and what it asks for
				_, _ = passer.do("GET", path, nil)
			}
		}
	}()
	s := newShopper(p.URL)
	item := p.newProduct(t, "dash-1", 1900, 50)
	s.must(t, 200, "POST", "/cart/add", map[string]any{"product_id": item.ID, "quantity": 1})
	s.must(t, 201, "POST", "/orders/checkout", nil)
	do(t, ctx, chromedp.Navigate(p.Ops+"/"), chromedp.SendKeys(css("#token"), p.token), chromedp.Click(css("form button")),
		chromedp.WaitVisible(css(`[data-name="http.rps"] b`)), chromedp.WaitVisible(css("#routes td")), chromedp.WaitVisible(css(".uplot")))
	first := time.Now()
	clock, err := chromedp.Run(ctx, chromedp.Text(css("#clock")))
	for now := clock; err == nil && now == clock; {
		if now, err = chromedp.Run(ctx, chromedp.Text(css("#clock"))); time.Since(first) > time.Minute {
			t.Fatal("the dashboard stands still")
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Poll[chromedp.Void](`parseFloat(document.querySelector('[data-name="http.rps"] b').textContent) > 0`, chromedp.WithPollingInterval(100*time.Millisecond), chromedp.WithPollingTimeout(0)))
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	picture(t, png, "dashboard")
	do(t, ctx, chromedp.Navigate(p.Ops+"/orders"), chromedp.WaitVisible(css("#list button.danger")))
	eventually(t, time.Minute, "the order's lines are shown", func() error {
		text, err := chromedp.Run(ctx, chromedp.Text(css("#list")))
		if err == nil && !strings.Contains(text, item.Name) {
			err = errors.New(text)
		}
		return err
	})
}
