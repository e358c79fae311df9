package account

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var (
	keyA = []byte("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	keyB = []byte("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
)

func sessions(t *testing.T, f *fakeUsers, now func() time.Time, keys ...[]byte) *Sessions {
	t.Helper()
	m, err := NewSessions(SessionOptions{Keys: keys, Users: f, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// with is a request that carries a cookie.
func with(value string) *http.Request {
	r := httptest.NewRequest("GET", "/cart", nil)
	if value != "" {
		r.AddCookie(&http.Cookie{Name: CookieName, Value: value})
	}
	return r
}

// set is the session cookie that an answer sets, nil if none.
func set(rec *httptest.ResponseRecorder) *http.Cookie {
	for _, c := range rec.Result().Cookies() {
		if c.Name == CookieName {
			return c
		}
	}
	return nil
}

func TestGuestSession(t *testing.T) {
	t.Parallel()
	m := sessions(t, newFakeUsers(), nil, keyA)
	rec := httptest.NewRecorder()
	s, err := m.Ensure(rec, with(""))
	c := set(rec)
	if err != nil || s.SignedIn() || len(s.UserID) != 36 || c == nil {
		t.Fatalf("%+v %v %v", s, err, c)
	}
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Secure || c.MaxAge != int(DefaultTTL.Seconds()) || strings.Contains(c.Value, s.UserID) && len(c.Value) > 300 {
		t.Errorf("%+v", c)
	}
	rec = httptest.NewRecorder()
	again, err := m.Ensure(rec, with(c.Value))
	if err != nil || again != s || set(rec) != nil {
		t.Errorf("%+v %v %v", again, err, set(rec))
	}
	for _, secure := range []func(r *http.Request){
		func(r *http.Request) { r.TLS = &tls.ConnectionState{} },
		func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "http, https") },
	} {
		r, rec := with(""), httptest.NewRecorder()
		secure(r)
		if _, err := m.Ensure(rec, r); err != nil || !set(rec).Secure {
			t.Errorf("not secure: %v", set(rec))
		}
	}
}

func TestForgedCookies(t *testing.T) {
	t.Parallel()
	m := sessions(t, newFakeUsers(), nil, keyA)
	good := encodeCookie(keyA, Session{UserID: "ann"}, time.Now())
	if s, ok, err := m.Load(with(good)); !ok || err != nil || s.UserID != "ann" {
		t.Fatalf("%+v %v %v", s, ok, err)
	}
	parts := strings.Split(good, ".")
	payload := base64.RawURLEncoding.EncodeToString([]byte("bob||" + "1"))
	for _, bad := range []string{"", ".", "..", "1.." + parts[2], good + "x", good[:len(good)-1], parts[0] + "." + parts[1], parts[0] + "." + payload + "." + parts[2],
		"2." + parts[1] + "." + parts[2], encodeCookie(keyB, Session{UserID: "ann"}, time.Now()), good + "=", strings.Repeat("x", 600),
		encodeCookie(keyA, Session{UserID: "a|b"}, time.Now()), encodeCookie(keyA, Session{UserID: "a/b"}, time.Now()), encodeCookie(keyA, Session{}, time.Now()),
		encodeCookie(keyA, Session{UserID: strings.Repeat("a", 65)}, time.Now())} {
		if s, ok, err := m.Load(with(bad)); ok || err != nil {
			t.Errorf("%q gave %+v %v", bad, s, err)
		}
	}
	r := with(encodeCookie(keyB, Session{UserID: "eve"}, time.Now())) // another site's cookie of the same name in front
	r.AddCookie(&http.Cookie{Name: CookieName, Value: good})
	if s, ok, _ := m.Load(r); !ok || s.UserID != "ann" {
		t.Errorf("%+v %v", s, ok)
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	f := newFakeUsers()
	old := encodeCookie(keyA, Session{UserID: "ann"}, time.Now())
	both := sessions(t, f, nil, keyB, keyA)
	if _, ok, _ := both.Load(with(old)); !ok {
		t.Error("the old key does not verify")
	}
	rec := httptest.NewRecorder()
	if _, err := both.Ensure(rec, with("")); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := sessions(t, f, nil, keyB).Load(with(set(rec).Value)); !ok {
		t.Error("the first key does not sign")
	}
	if _, ok, _ := sessions(t, f, nil, keyB).Load(with(old)); ok {
		t.Error("a dropped key verifies")
	}
	for _, keys := range [][][]byte{nil, {keyA, []byte("short")}} {
		if _, err := NewSessions(SessionOptions{Keys: keys, Users: f}); !errors.Is(err, ErrNoKey) {
			t.Errorf("%q: %v", keys, err)
		}
	}
	if _, err := NewSessions(SessionOptions{Keys: [][]byte{keyA}}); err == nil {
		t.Error("no Users")
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	now := time.Now()
	m := sessions(t, newFakeUsers(), func() time.Time { return now }, keyA)
	for offset, want := range map[time.Duration]bool{-DefaultTTL + time.Hour: true, -DefaultTTL: false, time.Minute: true, time.Hour: false} {
		if _, ok, _ := m.Load(with(encodeCookie(keyA, Session{UserID: "ann"}, now.Add(offset)))); ok != want {
			t.Errorf("issued %v from now: %v", offset, ok)
		}
	}
}

func TestSignInRotatesAndSignOutEnds(t *testing.T) {
	t.Parallel()
	f := newFakeUsers()
	m := sessions(t, f, nil, keyA)
	signIn := func(cookie string) string {
		rec := httptest.NewRecorder()
		if err := m.SignIn(rec, with(cookie), "ann"); err != nil {
			t.Fatal(err)
		}
		return set(rec).Value
	}
	first := signIn("")
	s, ok, err := m.Load(with(first))
	if !ok || err != nil || !s.SignedIn() || s.UserID != "ann" {
		t.Fatalf("%+v %v", s, err)
	}
	second := signIn(first)
	if _, ok, _ := m.Load(with(first)); ok || second == first {
		t.Error("the former sign-in still stands")
	}
	rec := httptest.NewRecorder()
	if err := m.SignOut(rec, with(second)); err != nil || set(rec).MaxAge >= 0 {
		t.Errorf("%v %+v", err, set(rec))
	}
	if _, ok, _ := m.Load(with(second)); ok {
		t.Error("signed out, and still in")
	}
	third := signIn("")
	f.fail = errDown
	rec = httptest.NewRecorder()
	if err := m.SignOut(rec, with(third)); !errors.Is(err, errDown) || set(rec) != nil {
		t.Errorf("a failed sign-out removes the cookie: %v", err)
	}
	if err := m.SignIn(rec, with(""), "ann"); !errors.Is(err, errDown) || set(rec) != nil {
		t.Errorf("a failed sign-in sets a cookie: %v", err)
	}
	if _, err := m.Ensure(rec, with(third)); !errors.Is(err, errDown) || set(rec) != nil {
		t.Errorf("unknown is not a new guest: %v", err)
	}
}

func TestGuestOfACookie(t *testing.T) {
	t.Parallel()
	f := newFakeUsers()
	m := sessions(t, f, nil, keyA)
	f.claimed["guest"] = "ann"
	now := time.Now()
	for value, want := range map[string]Session{
		encodeCookie(keyA, Session{UserID: "guest"}, now):        {UserID: "guest"}, // claimed already
		encodeCookie(keyA, Session{UserID: "ann", ID: "s"}, now): {},
		encodeCookie(keyB, Session{UserID: "guest"}, now):        {},
		"": {},
	} {
		if got := m.Guest(with(value)); got != want {
			t.Errorf("%q: %+v", value, got)
		}
	}
}

func FuzzCookie(f *testing.F) {
	f.Add(encodeCookie(keyA, Session{UserID: "ann", ID: "s1"}, time.Unix(1, 0)))
	f.Add("1.YW5ufHwx.AAAA")
	f.Add("..")
	f.Fuzz(func(t *testing.T, value string) {
		s, issued, ok := decodeCookie([][]byte{keyA}, value)
		if ok && encodeCookie(keyA, s, issued) != value {
			t.Fatalf("%q was not made by us: %+v", value, s)
		}
		if s, _, ok := parsePayload(value); ok && (!plainID(s.UserID) || strings.Contains(s.ID, "|")) {
			t.Fatalf("%q: %+v", value, s)
		}
	})
}
