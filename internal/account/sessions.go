package account

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stampede-shop/stampede/internal/shop"
)

// CookieName is the name of the session cookie.
const CookieName = "sid"

// Bounds of [SessionOptions].
const (
	DefaultTTL = 365 * 24 * time.Hour
	MinKeyLen  = 16
	maxCookies = 4 // sid cookies looked at in one request
)

// ErrNoKey says that there is no signing key, or that one is too short.
var ErrNoKey = errors.New("account: a signing key of at least 16 bytes is needed")

// SessionOptions configures [NewSessions]; Keys and Users are needed.
type SessionOptions struct {
	// Keys verify cookies; the first one signs. To rotate, put the new key in front and drop the old one after TTL.
	Keys [][]byte
	// Users tells whether a session still stands.
	Users shop.UserStore
	// TTL is how long a session lasts after it was issued; 0 means DefaultTTL.
	TTL time.Duration
	// Secure tells whether a request came over TLS; nil looks at r.TLS and at X-Forwarded-Proto, which the edge sets.
	Secure func(r *http.Request) bool
	// NewID makes ids of guests and sign-ins: at most 64 letters, digits, '-' or '_'; nil makes UUIDv7s.
	NewID func() string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Sessions reads and writes the session cookie. It is safe for concurrent use.
type Sessions struct{ o SessionOptions }

// NewSessions checks the options: ErrNoKey, or Users missing.
func NewSessions(o SessionOptions) (*Sessions, error) {
	if len(o.Keys) == 0 {
		return nil, ErrNoKey
	}
	for i, k := range o.Keys {
		if len(k) < MinKeyLen {
			return nil, fmt.Errorf("%w: key %d has %d", ErrNoKey, i, len(k))
		}
	}
	if o.Users == nil {
		return nil, errors.New("account: SessionOptions.Users is missing")
	}
	if o.TTL <= 0 {
		o.TTL = DefaultTTL
	}
	if o.Secure == nil {
		o.Secure = overTLS
	}
	if o.NewID == nil {
		o.NewID = newUUID
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Sessions{o: o}, nil
}

func newUUID() string { return uuid.Must(uuid.NewV7()).String() }

// overTLS believes the edge's last word on how the shopper came.
func overTLS(r *http.Request) bool {
	proto := r.Header.Get("X-Forwarded-Proto")
	if i := strings.LastIndexByte(proto, ','); i >= 0 {
		proto = proto[i+1:]
	}
	return r.TLS != nil || strings.EqualFold(strings.TrimSpace(proto), "https")
}

// Load returns the request's session. ok is false when there is none that stands: no cookie, a forged, expired or
// revoked one. err means that it could not be found out.
func (m *Sessions) Load(r *http.Request) (s Session, ok bool, err error) {
	for i, c := range r.CookiesNamed(CookieName) {
		if i == maxCookies {
			break
		}
		s, ok := m.read(c.Value)
		if !ok {
			continue
		}
		valid, err := m.o.Users.SessionValid(r.Context(), s.UserID, s.ID)
		if err != nil {
			return Session{}, false, err
		}
		if valid {
			return s, true, nil
		}
	}
	return Session{}, false, nil
}

// read verifies signature and age.
func (m *Sessions) read(value string) (Session, bool) {
	s, issued, ok := decodeCookie(m.o.Keys, value)
	if !ok {
		return Session{}, false
	}
	age := m.o.Now().Sub(issued)
	return s, age >= -clockSkew && age < m.o.TTL
}

// Guest returns the guest that the request's cookie was made for, whether or not it still stands, and the zero Session
// when there is none: for [Accounts.Login], which may have to finish claiming a guest that a crash left half claimed.
func (m *Sessions) Guest(r *http.Request) Session {
	for i, c := range r.CookiesNamed(CookieName) {
		if i == maxCookies {
			break
		}
		if s, ok := m.read(c.Value); ok {
			if s.SignedIn() {
				return Session{}
			}
			return s
		}
	}
	return Session{}
}

// Ensure returns the request's session, or starts a guest's and sets its cookie.
func (m *Sessions) Ensure(w http.ResponseWriter, r *http.Request) (Session, error) {
	s, ok, err := m.Load(r)
	if err != nil || ok {
		return s, err
	}
	s = Session{UserID: m.o.NewID()}
	m.set(w, r, s)
	return s, nil
}

// SignIn makes the shopper userID under a new session id and ends the sign-in that the request came with.
// On an error no cookie is set.
func (m *Sessions) SignIn(w http.ResponseWriter, r *http.Request, userID string) error {
	s := Session{UserID: userID, ID: m.o.NewID()}
	if err := m.o.Users.CreateSession(r.Context(), s.UserID, s.ID, m.o.Now().Add(m.o.TTL)); err != nil {
		return err
	}
	if err := m.end(r.Context(), r); err != nil {
		return err
	}
	m.set(w, r, s)
	return nil
}

// SignOut ends the sign-in and removes the cookie; the next call that needs a session starts a guest's.
// On an error the cookie stays, so that asking again works.
func (m *Sessions) SignOut(w http.ResponseWriter, r *http.Request) error {
	if err := m.end(r.Context(), r); err != nil {
		return err
	}
	c := m.cookie(r, "")
	c.MaxAge = -1
	http.SetCookie(w, c)
	return nil
}

// end deletes the sign-ins of the request's cookies.
func (m *Sessions) end(ctx context.Context, r *http.Request) error {
	for i, c := range r.CookiesNamed(CookieName) {
		if i == maxCookies {
			break
		}
		if s, ok := m.read(c.Value); ok && s.SignedIn() {
			if err := m.o.Users.DeleteSession(ctx, s.UserID, s.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Sessions) set(w http.ResponseWriter, r *http.Request, s Session) {
	http.SetCookie(w, m.cookie(r, encodeCookie(m.o.Keys[0], s, m.o.Now())))
}

func (m *Sessions) cookie(r *http.Request, value string) *http.Cookie {
	return &http.Cookie{
		Name: CookieName, Value: value, Path: "/", MaxAge: int(m.o.TTL.Seconds()),
		HttpOnly: true, Secure: m.o.Secure(r), SameSite: http.SameSiteLaxMode,
	}
}
