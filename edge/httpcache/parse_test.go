package httpcache

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func FuzzControl(f *testing.F) {
	for _, s := range []string{`max-age=60, no-cache="a,b", x="\"max-age=1"`, `private=""`, `,,a=,="`, `s-maxage="1`, "max-age=60;c, max-age=1+2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := parseControl([]string{s})
		for _, v := range []delta{d.maxAge, d.sMaxAge, d.swr, d.sie} {
			if v.d < 0 || v.d > maxDelta*time.Second {
				t.Errorf("%q: %v", s, v)
			}
		}
		for _, name := range d.omit {
			if !isToken(name) {
				t.Errorf("%q omits %q", s, name)
			}
		}
		if d.noStore && !strings.Contains(strings.ToLower(s), "no-store") {
			t.Errorf("%q: no-store", s)
		}
		parseSurrogate([]string{s}, "c")
		parseTargeted([]string{s})
	})
}

func FuzzVary(f *testing.F) {
	f.Add("Foo, *", "gzip;q=0, br", "en;q=1, DE")
	f.Fuzz(func(t *testing.T, vary, ae, lang string) {
		for _, name := range varyNames([]string{vary}) {
			if !isToken(name) {
				t.Errorf("%q names %q", vary, name)
			}
		}
		if norm := encodings([]string{ae}); encodings([]string{norm}) != norm {
			t.Errorf("%q becomes %q, and that something else", ae, norm)
		}
		if norm := languages([]string{lang}); languages([]string{norm}) != norm {
			t.Errorf("%q becomes %q, and that something else", lang, norm)
		}
	})
}

func FuzzRange(f *testing.F) {
	f.Add("bytes=0-4", int64(10))
	f.Add("bytes=-4", int64(0))
	f.Fuzz(func(t *testing.T, s string, size int64) {
		size = min(max(size, 0), 1<<40)
		first, last, ok, sense := parseRange(s, size)
		if ok && (!sense || first < 0 || last < first || last >= size) {
			t.Errorf("%q of %d: %d-%d", s, size, first, last)
		}
	})
}

func FuzzDate(f *testing.F) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	for _, s := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"} {
		f.Add(s)
		if got, ok := parseDate(s, now); !ok || got.Unix() != 784111777 {
			f.Errorf("%q: %v %v", s, got, ok)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseDate(s, now)
		if !ok {
			return
		}
		if again, ok := parseDate(got.Format(http.TimeFormat), now); !ok || !again.Equal(got) {
			t.Errorf("%q: %v, then %v", s, got, again)
		}
	})
}

func TestDatesComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := time.Unix(rapid.Int64Range(0, 4102444800).Draw(t, "seconds"), 0).UTC()
		now := want.Add(time.Duration(rapid.IntRange(-300, 300).Draw(t, "days")) * 24 * time.Hour)
		forms := []string{http.TimeFormat, time.ANSIC}
		if want.Year()/100 == now.Year()/100 { // two digits say no more
			forms = append(forms, "Monday, 02-Jan-06 15:04:05 GMT")
		}
		for _, form := range forms {
			if got, ok := parseDate(want.Format(form), now); !ok || !got.Equal(want) {
				t.Fatalf("%s: %v", want.Format(form), got)
			}
		}
	})
}

// SortQuery keeps what matters, loses what does not, and knows its own work.
func TestSortQuery(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", "b=1&a=2": "a=2&b=1", "a=2&a=1": "a=2&a=1", "utm_source=x": "", "a&&b=&gclid=1&": "a&b=", "q=%20": "q=%20"} {
		if got := SortQuery(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		params := rapid.SliceOf(rapid.SampledFrom([]string{"a=1", "a=2", "b", "c=", "utm_x=1", "", "z=9"})).Draw(t, "params")
		once := SortQuery(strings.Join(params, "&"))
		if SortQuery(once) != once {
			t.Fatalf("%q changes again", once)
		}
		for _, p := range params {
			if p != "" && p != "utm_x=1" && !strings.Contains("&"+once+"&", "&"+p+"&") {
				t.Fatalf("%q was lost from %q", p, once)
			}
		}
	})
}

// Whatever is put, memory stays within its bound and counts what it holds.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const bound = 64 << 10
		m := newMemory(bound, 4)
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			key := fmt.Sprint("http://a/", rapid.IntRange(0, 60).Draw(t, "key"))
			e := &entry{key: key, body: make([]byte, rapid.IntRange(0, 2000).Draw(t, "size")), vary: []varyField{{"V", fmt.Sprint(rapid.IntRange(0, 6).Draw(t, "v"))}}}
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				if r := find(m, key); r != nil && len(r.list()) > 0 {
					m.drop(r.list()[0])
				}
			case 1:
				if r := find(m, key); r != nil {
					r.touch()
				}
			default:
				m.put(e)
			}
		}
		n, bytes := m.used()
		var held, sum int64
		for i := range m.shards {
			s := &m.shards[i]
			for r := s.head; r != nil; r = r.next {
				held++
				sum += r.size
				if len(r.list()) > 4 {
					t.Fatalf("%d variants", len(r.list()))
				}
			}
			if s.bytes > s.max {
				t.Fatalf("%d bytes of %d", s.bytes, s.max)
			}
		}
		if n != held || bytes != sum {
			t.Fatalf("counted %d in %d, held %d in %d", bytes, n, sum, held)
		}
	})
}

// What is used again and again survives a scan of things used once.
func TestScanResistance(t *testing.T) {
	t.Parallel()
	m := newMemory(1<<20, 1)
	put := func(i int) { m.put(&entry{key: fmt.Sprint("http://a/", i), body: make([]byte, 1000)}) }
	for i := range 100 {
		put(i)
	}
	for i := 1000; i < 20000; i++ {
		put(i)
		for j := i % 10; j < 100; j += 10 {
			if r := find(m, fmt.Sprint("http://a/", j)); r != nil {
				r.touch()
			}
		}
	}
	kept := 0
	for i := range 100 {
		if find(m, fmt.Sprint("http://a/", i)) != nil {
			kept++
		}
	}
	if kept < 90 {
		t.Errorf("%d of 100 survived", kept)
	}
}
