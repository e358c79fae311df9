package e2e

import (
	_ "embed"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

//go:embed testdata/audit.js
var accessibility string

// Every kind of page, on a phone and on a desk, passes what a program can check of WCAG 2.2 AA.
func TestPagesAreAccessible(t *testing.T) {
	p := shared.get(t)
	item := p.newProduct(t, "wcag-1", 2500, 20)
	ctx := browserFor(t, 8*time.Minute)
	css := func(sel string) chromedp.CSS { return chromedp.CSS(sel) }
	check := func(name string, width int64, scheme string) {
		t.Helper()
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), colours(scheme)); err != nil {
			t.Fatal(err)
		}
		wrong, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](accessibility))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range wrong {
			t.Errorf("%s, %d wide, %s: %s", name, width, scheme, w)
		}
		if os.Getenv(picturesEnv) == "" {
			return
		}
		png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		picture(t, png, fmt.Sprintf("%s-%d-%s", name, width, scheme))
	}
	both := func(name, url string, then ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		do(t, ctx, append([]chromedp.Action[chromedp.Void]{chromedp.Navigate(url)}, then...)...)
		for _, scheme := range []string{"light", "dark"} {
			check(name, 1280, scheme)
			check(name, 390, scheme)
		}
	}
	page := fmt.Sprintf("%s/p/%d", p.URL, item.ID)
	gone := p.newProduct(t, "wcag-2", 9900, 0)
	p.campaign(t, "wcag-now", "Autumn favourites", "--products", fmt.Sprint(item.ID, ",", gone.ID))
	p.campaign(t, "wcag-soon", "Night sale", "--in", "3h", "--category", "Tests", "--headline", "Until the sun is up, and not a minute longer")
	both("home", p.URL+"/")
	category, err := chromedp.Run(ctx, chromedp.AttributeValue(css(`.chips a`), "href"))
	if err != nil {
		t.Fatal(err)
	}
	both("category", p.URL+category.Value)
	both("sale", p.URL+"/sale/wcag-soon")
	both("soldout", fmt.Sprintf("%s/p/%d", p.URL, gone.ID))
	both("search", p.URL+"/search?q=lamp")
	both("product", page)
	add(t, ctx)
	badge, err := chromedp.Run(ctx, chromedp.Text(css(`.me a[href="/bag"]`)))
	if err != nil || !strings.HasPrefix(badge, "Bag") {
		t.Errorf("%q %v", badge, err)
	}
	both("bag", p.URL+"/bag")
	both("account", p.URL+"/account")
	both("missing", p.URL+"/p/999999999")
	both("signin", p.Ops+"/")
}
