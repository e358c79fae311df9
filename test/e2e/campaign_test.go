package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// colours makes the browser prefer light or dark.
func colours(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	})
}

// campaign makes a campaign until the test ends.
func (p *platform) campaign(t *testing.T, slug, name string, flags ...string) {
	t.Helper()
	args := append([]string{"campaign", "set", slug, "--data", p.data, "--name", name}, flags...)
	if _, stderr, err := run(t.Context(), nil, args...); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr)
	}
	t.Cleanup(func() {
		if _, stderr, err := run(context.Background(), nil, "campaign", "delete", slug, "--data", p.data); err != nil {
			t.Errorf("%v\n%s", err, stderr)
		}
	})
}

// Who has the front page open sees a campaign begin without doing anything; the edge has the page for everybody, and a new
// campaign is on it when the command returns.
func TestCampaignBegins(t *testing.T) {
	p := shared.get(t)
	item := p.newProduct(t, "campaign-1", 4900, 50)
	visitor := newShopper(p.URL)
	visitor.must(t, http.StatusOK, "GET", "/", nil, "Accept", "text/html")
	begins := time.Now().Add(8 * time.Second)
	p.campaign(t, "e2e-sale", "Sale of the evening", "--start", begins.UTC().Format(time.RFC3339), "--products", fmt.Sprint(item.ID))
	if a := visitor.must(t, http.StatusOK, "GET", "/", nil, "Accept", "text/html"); !strings.Contains(string(a.Body), "Sale of the evening") {
		t.Error("an old front page is shown after the campaign was made")
	}
	out, stderr, err := run(t.Context(), nil, "campaign", "list", "--data", p.data)
	if err != nil || !strings.Contains(out, "e2e-sale") {
		t.Errorf("list: %v\n%s%s", err, out, stderr)
	}
	ctx := browser(t)
	on := chromedp.CSS(`[data-campaign="e2e-sale"].on`)
	do(t, ctx, chromedp.Navigate(p.URL+"/"), chromedp.WaitVisible(chromedp.CSS(`[data-campaign="e2e-sale"] .clock`)))
	before, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`window.stayed = !document.querySelector('[data-campaign="e2e-sale"].on')`))
	if err != nil {
		t.Fatal(err)
	}
	if !before {
		t.Log("the browser came too late to see it begin")
	}
	do(t, ctx, chromedp.WaitVisible(on), chromedp.WaitVisible(chromedp.CSS(fmt.Sprintf(`.card a[href^="/p/%d"]`, item.ID))))
	if time.Now().Before(begins.Truncate(time.Second)) {
		t.Error("it is on before it begins")
	}
	if stayed, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`window.stayed === true`)); err != nil || before && !stayed {
		t.Errorf("the page was loaded anew: %v", err)
	}
	visitor.kept(t, "/", "Accept", "text/html")
	visitor.must(t, http.StatusOK, "GET", "/sale/e2e-sale", nil, "Accept", "text/html")
}
