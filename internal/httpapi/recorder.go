package httpapi

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// recorder is the outermost ResponseWriter: it remembers status and size, and adds Server-Timing at the last moment.
type recorder struct {
	http.ResponseWriter
	timing   *shop.Timing
	start    time.Time
	elapsed  func() time.Duration
	status   int // 0 until the header is written
	bytes    int64
	finished bool
}

func (w *recorder) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(status) // informational: the answer is still to come
		return
	}
	if w.status == 0 {
		w.status = status
		w.Header().Set("Server-Timing", serverTiming(w.timing.Entries(), w.elapsed()))
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Flush implements http.Flusher.
func (w *recorder) Flush() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	http.NewResponseController(w.ResponseWriter).Flush() //nolint:errcheck // not every writer can
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// serverTiming is "l1;desc=hit, db;dur=1.3;desc=replica-1, total;dur=2.1"; durations in milliseconds.
func serverTiming(entries []shop.TimingEntry, total time.Duration) string {
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(token(e.Tier))
		if e.Dur > 0 {
			b.WriteString(";dur=" + millis(e.Dur))
		}
		if e.Desc != "" {
			b.WriteString(";desc=" + token(e.Desc))
		}
		b.WriteString(", ")
	}
	b.WriteString("total;dur=" + millis(total))
	return b.String()
}

func millis(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', -1, 64)
}

// token makes what a tier reports fit for a header without quoting.
func token(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("-_.", r) {
			return r
		}
		return '_'
	}, s)
}
