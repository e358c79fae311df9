// Package causal carries the tokens of package replica in a cookie, so that whatever process answers a session's next request
// shows it its own writes. Nothing is kept on the server.
//
// Wrap a handler with [Middleware]. Writes below it report their commits to the request's Collector (replica.Set's Write and Wrote
// do); reads below it through replica.Set see what the cookie asks for. The cookie is set only by answers to requests that wrote,
// so answers that caches share never carry it.
//
// It is no session: it says nothing about who somebody is, only what they must see, and a forged or old one is ignored. Handlers
// that answer before their write is committed, or write after they have answered, are outside its promise.
package causal

import (
	"net/http"
	"time"

	"github.com/stampede-shop/stampede/replica"
)

// Options of Middleware; the zero value works but for Signer.
type Options struct {
	// Signer is needed; all processes that answer a session must have its keys.
	Signer *replica.Signer
	// Cookie is the cookie's name. Default "seen".
	Cookie string
	// Secure tells whether a request came over TLS; then the cookie is not sent without. Default: whether it did so to us.
	Secure func(*http.Request) bool
}

// Middleware reads the cookie before next runs, and sets it when next begins its answer if there were writes until then.
func Middleware(o Options, next http.Handler) http.Handler {
	if o.Signer == nil {
		panic("causal: Options.Signer is needed")
	}
	if o.Cookie == "" {
		o.Cookie = "seen"
	}
	if o.Secure == nil {
		o.Secure = func(r *http.Request) bool { return r.TLS != nil }
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before := o.token(r)
		ctx, c := replica.WithCollector(replica.WithToken(r.Context(), before))
		aw := &answer{ResponseWriter: w, begin: func(h http.Header) {
			if wrote := c.Token(); !wrote.Empty() {
				h.Add("Set-Cookie", o.cookie(r, before.Merge(wrote)).String())
			}
		}}
		next.ServeHTTP(aw, r.WithContext(ctx))
		aw.once() // nothing was written: net/http answers 200 with the headers as they are
	})
}

// token is what the cookie asks for; whatever is wrong with it, nothing.
func (o Options) token(r *http.Request) (t replica.Token) {
	for _, c := range r.CookiesNamed(o.Cookie) {
		if one, err := o.Signer.Decode(c.Value); err == nil {
			t = t.Merge(one)
		}
	}
	return t
}

func (o Options) cookie(r *http.Request, t replica.Token) *http.Cookie {
	return &http.Cookie{Name: o.Cookie, Value: o.Signer.Encode(t), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: o.Secure(r), MaxAge: int(o.Signer.TTL() / time.Second)}
}

// answer runs begin before the header is sent.
type answer struct {
	http.ResponseWriter
	begin func(http.Header)
	begun bool
}

func (a *answer) once() {
	if !a.begun {
		a.begun = true
		a.begin(a.Header())
	}
}

// WriteHeader sends the header; informational ones are not the answer yet.
func (a *answer) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		a.once()
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body, the header before it.
func (a *answer) Write(b []byte) (int, error) {
	a.once()
	return a.ResponseWriter.Write(b)
}

// Flush sends what there is.
func (a *answer) Flush() {
	a.once()
	_ = http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
