package limit

import (
	"net/http"
	"strconv"
	"time"

	"github.com/stampede-shop/stampede/edge/internal/respond"
)

// Bounds refuse requests that are too big, or whose body comes too slowly. The zero value has the defaults.
type Bounds struct {
	// MaxURIBytes bounds path and query. Default 8 KiB, beyond it 414.
	MaxURIBytes int
	// MaxHeaders bounds the number of header fields, MaxHeaderBytes names and values together. Default 100 and 32 KiB,
	// beyond them 431. [Harden] has net/http stop reading at twice as many bytes.
	MaxHeaders, MaxHeaderBytes int
	// MaxBodyBytes bounds a body. Default 1 MiB, negative unbounded; beyond it 413.
	MaxBodyBytes int64

	// MinBytesPerSecond is how fast a body has to come on average after Grace. Default 1 KiB and 5 s; negative: any
	// speed.
	MinBytesPerSecond int64
	Grace             time.Duration
	// Stall bounds each silence within a body. Default 10 s.
	Stall time.Duration
}

func (b Bounds) withDefaults() Bounds {
	def(&b.MaxURIBytes, 8<<10)
	def(&b.MaxHeaders, 100)
	def(&b.MaxHeaderBytes, 32<<10)
	def(&b.MaxBodyBytes, 1<<20)
	def(&b.MinBytesPerSecond, 1<<10)
	def(&b.Grace, 5*time.Second)
	def(&b.Stall, 10*time.Second)
	return b
}

// def sets *v to d when it is the zero value.
func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Wrap holds requests to the bounds before next gets them. Reading a body beyond its bound fails with
// *http.MaxBytesError, reading one that comes too slowly with an error that is os.ErrDeadlineExceeded.
func (b Bounds) Wrap(next http.Handler) http.Handler {
	b = b.withDefaults()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p, bad := b.check(r); bad {
			if p.Status == http.StatusRequestEntityTooLarge {
				drain(w, r)
			}
			refuse(w, r, p)
			return
		}
		if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
			next.ServeHTTP(w, r)
			return
		}
		if b.MaxBodyBytes >= 0 {
			r.Body = http.MaxBytesReader(respond.Innermost(w), r.Body, b.MaxBodyBytes)
		}
		if b.MinBytesPerSecond > 0 {
			slow := newPaced(r.Body, http.NewResponseController(w), b)
			r.Body = slow
			defer slow.release()
		}
		next.ServeHTTP(w, r)
	})
}

func (b Bounds) check(r *http.Request) (problem, bool) {
	if n := len(r.URL.RawQuery) + len(r.URL.Path); n > b.MaxURIBytes || len(r.RequestURI) > b.MaxURIBytes {
		return problem{Type: "uri-too-long", Status: http.StatusRequestURITooLong, CloseConn: true,
			Detail: "path and query have more than " + strconv.Itoa(b.MaxURIBytes) + " bytes; ask for less at once"}, true
	}
	fields, size := 0, 0
	for name, values := range r.Header {
		for _, v := range values {
			fields++
			size += len(name) + len(v)
		}
	}
	if fields > b.MaxHeaders || size > b.MaxHeaderBytes {
		return problem{Type: "headers-too-large", Status: http.StatusRequestHeaderFieldsTooLarge, CloseConn: true,
			Detail: "there are more than " + strconv.Itoa(b.MaxHeaders) + " header fields, or " + strconv.Itoa(b.MaxHeaderBytes) + " bytes of them; clear the cookies of this site"}, true
	}
	if b.MaxBodyBytes >= 0 && r.ContentLength > b.MaxBodyBytes {
		return problem{Type: "too-large", Status: http.StatusRequestEntityTooLarge, CloseConn: true,
			Detail: "the body has more than " + strconv.FormatInt(b.MaxBodyBytes, 10) + " bytes; send less at once"}, true
	}
	return problem{}, false
}

// Harden gives a server the time-outs and bounds against clients that open connections and say nothing, or say it
// slowly, where it has none: 5 s for headers, 60 s idle, 64 KiB of headers. Bodies are [Bounds]' business.
func Harden(s *http.Server) {
	def(&s.ReadHeaderTimeout, 5*time.Second)
	def(&s.IdleTimeout, time.Minute)
	def(&s.MaxHeaderBytes, 64<<10)
}
