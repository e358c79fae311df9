package waf

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"

// typical is a request as a shopper's browser sends it through the edge.
func typical(method, target, body string) (*http.Request, []byte) {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "shop.example"
	r.RemoteAddr = "192.0.2.1:1234"
	for name, value := range map[string]string{
		"User-Agent": browser, "Accept": "application/json", "Accept-Language": "en-GB,en;q=0.9", "Accept-Encoding": "gzip, deflate, br, zstd",
		"Cookie": "sid=1.MDE5MGExYjItYWFhYS03YmJi.c2lnbmF0dXJlLW9mLXRoZS1zZXNzaW9u", "X-Forwarded-For": "192.0.2.1",
		"X-Request-Id": "5f0c9b1e-74a5-4a0f-9c3e-6f2d3a1b4c5d", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example",
		"Stampede-Op": "5f0c9b1e-74a5-4a0f-9c3e-6f2d3a1b4c5d", "X-Request-Start": "t=1732312345123456",
	} {
		r.Header.Set(name, value)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	}
	return r, []byte(body)
}

var adjectives = []string{"red", "small", "walnut", "steel", "garden", "folding", "bright", "nordic", "linen", "quiet", "heavy", "round"}
var things = []string{"lamp", "chair", "desk", "kettle", "rug", "shelf", "mirror", "stool", "vase", "clock", "bench", "pillow"}

// calls are typical requests, the i-th of its kind each time a different one.
var calls = []struct {
	name string
	make func(i int) (*http.Request, []byte)
}{
	{"list", func(i int) (*http.Request, []byte) {
		return typical(http.MethodGet, fmt.Sprintf("/products?limit=20&category=home/%s&sort=price&min_price=%d", things[i%12], i), "")
	}},
	{"search", func(i int) (*http.Request, []byte) {
		return typical(http.MethodGet, fmt.Sprintf("/products?limit=20&q=%s+%s+%d", adjectives[i/12%12], things[i%12], i), "")
	}},
	{"product", func(i int) (*http.Request, []byte) {
		return typical(http.MethodGet, fmt.Sprintf("/products/%d", i), "")
	}},
	{"page", func(i int) (*http.Request, []byte) {
		return typical(http.MethodGet, fmt.Sprintf("/p/%d-%s-%s", i, adjectives[i/12%12], things[i%12]), "")
	}},
	{"cart-add", func(i int) (*http.Request, []byte) {
		return typical(http.MethodPost, "/cart/add", fmt.Sprintf(`{"product_id":%d,"quantity":%d}`, i, i%5+1))
	}},
	{"checkout", func(int) (*http.Request, []byte) {
		return typical(http.MethodPost, "/orders/checkout", `{"payment":{"method":"test"}}`)
	}},
	{"checkout-address", func(i int) (*http.Request, []byte) {
		return typical(http.MethodPost, "/orders/checkout", fmt.Sprintf(`{"payment":{"method":"test"},"shipping_address":{"name":"%s %s","line1":"%d %s Street","city":"%s by the Sea","postal_code":"AB%d","country":"GB"}}`,
			adjectives[i%12], things[i/12%12], i, things[i%12], things[i/7%12], i))
	}},
	{"checkout-apostrophe", func(i int) (*http.Request, []byte) {
		return typical(http.MethodPost, "/orders/checkout", fmt.Sprintf(`{"shipping_address":{"name":"Seán O'Brien %d","line1":"%d Rue de l'Église","city":"Saint-Malo","country":"FR"}}`, i, i))
	}},
	{"checkout-plus", func(i int) (*http.Request, []byte) { // with marks that are not plain text
		return typical(http.MethodPost, "/orders/checkout", fmt.Sprintf(`{"shipping_address":{"name":"Smith & Sons (%s) %d","line1":"Apt #%d, Bd. Saint-Michel","city":"Kraków","country":"PL"}}`, things[i%12], i, i))
	}},
	{"checkout-cyrillic", func(i int) (*http.Request, []byte) {
		return typical(http.MethodPost, "/orders/checkout", fmt.Sprintf(`{"shipping_address":{"name":"Иван Петров %d","line1":"ул. Ленина, д. %d","city":"София","country":"BG"}}`, i, i))
	}},
	{"search-accent", func(i int) (*http.Request, []byte) {
		return typical(http.MethodGet, fmt.Sprintf("/products?limit=20&q=caf%%C3%%A9+%s+%d", things[i%12], i), "")
	}},
	{"register", func(i int) (*http.Request, []byte) {
		r, body := typical(http.MethodPost, "/account/register", fmt.Sprintf("name=Zo%%C3%%AB+O%%27Neil+%d&email=zoe.%d%%40example.com&password=c0rrect-horse%%21%d", i, i, i))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r, body
	}},
	{"profile-review", func(i int) (*http.Request, []byte) {
		return typical(http.MethodPatch, "/users/me", fmt.Sprintf(`{"name":"Bought %d; \"great\" quality! My wife's favourite (5/5) -- would buy again & again... <3"}`, i))
	}},
	{"events-20", func(i int) (*http.Request, []byte) {
		var b strings.Builder
		for j := range 20 {
			fmt.Fprintf(&b, "{\"type\":\"view\",\"product_id\":%d,\"session\":\"5f0c9b1e-74a5-4a0f-9c3e-%012d\",\"at\":\"2026-11-22T23:%02d:%02dZ\"}\n", i*20+j, i, j, i%60)
		}
		r, body := typical(http.MethodPost, "/events", b.String())
		r.Header.Set("Content-Type", "application/x-ndjson")
		return r, body
	}},
}

// cpuTime is what the process has used: on a busy machine it says more than the clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkInspect inspects typical calls, each one different from the last: with the fast path, and without it.
func BenchmarkInspect(b *testing.B) {
	for _, way := range []struct {
		name string
		o    Options
	}{{"fast", Options{}}, {"whole", Options{CleanEntries: -1}}} {
		w := newWAF(b, way.o)
		for _, c := range calls {
			b.Run(way.name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				var took []time.Duration
				i := 0
				var cpu time.Duration
				for b.Loop() {
					b.StopTimer()
					r, body := c.make(i)
					i++
					b.StartTimer()
					start, used := time.Now(), cpuTime()
					if v := w.Inspect(r, body); v.Objects() {
						b.Fatalf("blocked: %+v", v)
					}
					took = append(took, time.Since(start))
					cpu += cpuTime() - used
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2])/1000, "p50-µs")
				b.ReportMetric(float64(took[len(took)*99/100])/1000, "p99-µs")
				b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-µs/op")
			})
		}
	}
}

// BenchmarkCompile is what a reload costs, and what the compiled rules take.
func BenchmarkCompile(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w := newWAF(b, Options{})
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
		if err := w.Reload(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
	runtime.KeepAlive(w)
}
