package httpcache

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestPurges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		purge func(*Cache)
		gone  bool
	}{
		"key":        {func(c *Cache) { c.PurgeTags(false, "b") }, true},
		"other key":  {func(c *Cache) { c.PurgeTags(false, "p:10") }, false},
		"path":       {func(c *Cache) { c.PurgeURL(false, "/x?q=1") }, true},
		"address":    {func(c *Cache) { c.PurgeURL(false, "http://EXAMPLE.com/x?q=1") }, true},
		"other host": {func(c *Cache) { c.PurgeURL(false, "http://example.org/x?q=1") }, false},
		"all":        {func(c *Cache) { c.PurgeAll(false) }, true},
		"nothing":    {func(c *Cache) { c.PurgeTags(false); c.PurgeURL(false) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, Options{})
			b.answer("body", "Cache-Control", "max-age=60", "Surrogate-Key", "p:1 b")
			b.get("/x?q=1")
			c.purge(b.c)
			b.get("/x?q=1")
			if got := b.asked.Load() == 2; got != c.gone {
				t.Errorf("gone: %v", got)
			}
			b.get("/x?q=1") // what is fetched after a purge stays
			b.wantAsked(b.asked.Load())
		})
	}
}

func TestSoftPurge(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.answer("old", "Cache-Control", "max-age=60, stale-while-revalidate=30", "Surrogate-Key", "k")
	b.get("/")
	b.c.PurgeTags(true, "k")
	b.answer("new", "Cache-Control", "max-age=60", "Surrogate-Key", "k")
	b.clock.add(time.Second)
	if w := b.get("/"); w.Body.String() != "old" {
		t.Errorf("%q", w.Body)
	}
	wait(t, "the refresh", func() bool { return b.get("/").Body.String() == "new" })
	b.c.PurgeTags(true, "k")
	b.clock.add(time.Second)
	b.status(503, "down")
	if w := b.get("/"); w.Body.String() != "new" {
		t.Errorf("a soft purge left nothing for bad times: %d %q", w.Code, w.Body)
	}
}

// After Recheck nothing is used before the origin has confirmed it, not even while it is refreshed; what is confirmed is
// as good as new, and when the origin fails there is still something.
func TestRecheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := setup(t, Options{Dir: dir})
	const control = "max-age=60, stale-while-revalidate=30, stale-if-error=60"
	for _, path := range []string{"/same", "/changed", "/down", "/unasked"} {
		b.answer("old"+path, "Cache-Control", control, "Etag", `"`+path+`"`)
		b.get(path)
	}
	b.c.Recheck()
	b.answer("", "Cache-Control", control, "Etag", `"/same"`)
	if w := b.get("/same"); w.Body.String() != "old/same" || w.Header().Get("Cache-Status") != "c; fwd=stale; fwd-status=304; stored" {
		t.Errorf("%q %v", w.Body, w.Header())
	}
	b.wantAsked(5)
	if w := b.get("/same"); w.Body.String() != "old/same" {
		t.Errorf("%q", w.Body)
	}
	b.wantAsked(5)
	b.answer("new", "Cache-Control", control)
	if w := b.get("/changed"); w.Body.String() != "new" {
		t.Errorf("%q", w.Body)
	}
	b.status(503, "down")
	if w := b.get("/down"); w.Body.String() != "old/down" {
		t.Errorf("%q", w.Body)
	}
	wait(t, "the disk", func() bool { return b.c.Stats().DiskEntries == 4 })
	b.c.Close()
	again := setup(t, Options{Dir: dir})
	again.answer("new", "Cache-Control", control)
	if w := again.get("/unasked"); w.Body.String() != "new" {
		t.Errorf("a restart forgot the doubt: %q", w.Body)
	}
	if w := again.get("/same"); w.Body.String() != "old/same" {
		t.Errorf("what was confirmed is asked about again: %q", w.Body)
	}
}

// What was asked of the origin before a purge is not served after it, not even when it arrives later.
func TestPurgeCoversFetchesUnderWay(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	gate := make(chan struct{})
	b.gated(gate, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Surrogate-Key", "k")
		_, _ = w.Write([]byte("old"))
	})
	done := make(chan struct{})
	go func() { defer close(done); b.get("/") }()
	wait(t, "the fetch", func() bool { return b.asked.Load() == 1 })
	b.c.PurgeTags(false, "k")
	b.answer("new", "Cache-Control", "max-age=60", "Surrogate-Key", "k")
	close(gate)
	<-done
	if w := b.get("/"); w.Body.String() != "new" {
		t.Errorf("%q", w.Body)
	}
}

func TestUnsafeMethodsInvalidate(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "M-SEARCH"} {
		b := setup(t, Options{})
		for _, path := range []string{"/a", "/b", "/c"} {
			b.get(path)
		}
		b.status(500, "failed")
		b.do(method, "/a")
		b.answer("ok", "Location", "/b", "Content-Location", "http://elsewhere.example/c")
		b.wantAsked(4)
		b.get("/a")
		b.wantAsked(4) // a failed request changes nothing
		b.do(method, "/a")
		b.answer("body", "Cache-Control", "max-age=60")
		for i, path := range []string{"/a", "/b", "/c"} {
			b.get(path)
			b.wantAsked([]int64{6, 7, 7}[i])
		}
	}
}

// A write also covers a fetch that went alone and was under way, of an address of which nothing was known yet.
func TestWriteCoversAFetchThatWentAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	gate := make(chan struct{})
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			return
		}
		<-gate
		w.Header().Set("Cache-Control", "public, max-age=60")
		_, _ = w.Write([]byte("before"))
	})
	done := make(chan struct{})
	go func() { defer close(done); b.get("/a", "Authorization", "x") }()
	wait(t, "the fetch", func() bool { return b.asked.Load() == 1 })
	b.do("POST", "/a")
	close(gate)
	<-done
	b.answer("after", "Cache-Control", "max-age=60")
	if w := b.get("/a"); w.Body.String() != "after" {
		t.Errorf("%q is from before the write", w.Body)
	}
}

func TestHeadUpdates(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.answer("body", "Cache-Control", "max-age=10", "Etag", `"x"`)
	b.get("/")
	b.clock.add(20 * time.Second)
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", b.clock.now().Format(http.TimeFormat))
		w.Header().Set("Cache-Control", "max-age=100")
		w.Header().Set("Etag", `"x"`)
	})
	b.do("HEAD", "/")
	b.wantAsked(2)
	if w := b.get("/"); w.Body.String() != "body" {
		t.Errorf("%q", w.Body)
	}
	b.wantAsked(2)
}

func TestNotLive(t *testing.T) {
	t.Parallel()
	live := true
	b := setup(t, Options{Live: func() bool { return live }})
	b.answer("body", "Cache-Control", "max-age=60", "Etag", `"x"`)
	b.get("/")
	live = false
	if w := b.get("/"); w.Body.String() != "body" || b.last.Get("If-None-Match") == "" {
		t.Errorf("%q %v", w.Body, b.last)
	}
	b.wantAsked(2)
	live = true
	b.get("/")
	b.wantAsked(2)
}

// When more keys are purged than are remembered, everything older is gone: never too little.
func TestPurgesForgetOnTheSafeSide(t *testing.T) {
	t.Parallel()
	p := newPurges()
	since := p.count.Load()
	keys := make([]keyHash, maxPurged+1)
	for i := range keys {
		keys[i] = hashKey(kindTag, fmt.Sprint(i))
	}
	p.purge(keys[:10], false, time.Unix(0, 0))
	p.purge(keys, false, time.Unix(0, 0))
	if len(p.gone) > maxPurged {
		t.Errorf("%d keys", len(p.gone))
	}
	if dead, _ := p.judge(since, []keyHash{keys[3]}); !dead {
		t.Error("a purge was forgotten")
	}
	if dead, _ := p.judge(p.count.Load(), keys[:3]); dead {
		t.Error("what came later is gone too")
	}
}
