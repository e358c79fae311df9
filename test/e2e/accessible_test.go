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

// Every kind of page, storefront and operations, on a phone and on a desk, passes what a program can check of WCAG 2.2 AA; none is wider than
// the window.
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
	field := func(name string) chromedp.CSS { return css(`form[action="/account/register"] [name="` + name + `"]`) }
	both("member", p.URL+"/account", chromedp.SendKeys(field("name"), "Ada Featherstonehaugh-Cholmondeley"),
		chromedp.SendKeys(field("email"), "ada.with.a.very.long.address.indeed@mail.example.com"), chromedp.SendKeys(field("password"), "correct horse battery"),
		chromedp.Click(css(`form[action="/account/register"] button`)), chromedp.WaitVisible(css(`form[action="/account/logout"] button`)))
	both("missing", p.URL+"/p/999999999")
	both("refused", p.URL+"/search?q=%3Cscript%3Ealert(1)%3C/script%3E")
	both("signin", p.Ops+"/")
	do(t, ctx, chromedp.SendKeys(css("#token"), "not this"), chromedp.Click(css("form button")), chromedp.WaitVisible(css(`[role="alert"]`)),
		chromedp.SendKeys(css("#token"), p.token), chromedp.Click(css("form button")), chromedp.WaitVisible(css("#tiles")))
	both("live", p.Ops+"/", chromedp.WaitVisible(css("#routes td")), chromedp.WaitVisible(css(".cell")), chromedp.WaitVisible(css(".uplot")))
	both("products", p.Ops+"/products", chromedp.Click(css("#list button")), chromedp.WaitVisible(css("#restock button")))
	both("campaigns", p.Ops+"/campaigns", chromedp.Click(css("#list button")))
	s := newShopper(p.URL)
	s.must(t, 200, "POST", "/cart/add", map[string]any{"product_id": item.ID, "quantity": 1})
	s.must(t, 201, "POST", "/orders/checkout", nil)
	both("orders", p.Ops+"/orders", chromedp.WaitVisible(css("#list button.danger")))
	both("dead", p.Ops+"/dead", chromedp.WaitVisible(css("#list td")))
}
