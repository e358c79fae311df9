package httpapi

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/internal/shop"
)

const ann = `{"email":"ann@example.org","password":"correct horse","name":"Ann"}`

func TestRegisterKeepsTheGuest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.want(b.do("GET", "/users/me", ""), 401, shop.CodeUnauthorized)
	if a.Header.Get("Set-Cookie") == "" {
		t.Error("a user call sets the session cookie")
	}
	b.fill(1, 2)
	guest := b.sid(b.client)
	cart := into[shop.Cart](t, b.do("GET", "/cart", ""))
	a = b.want(b.do("POST", "/users", ann), 201, "")
	u := into[shop.User](t, a)
	if u.ID != cart.ID || u.Email != "ann@example.org" || a.Header.Get("Location") != "/users/me" || strings.Contains(string(a.body), "assword") {
		t.Errorf("%s", a.body)
	}
	if b.sid(b.client) == guest {
		t.Error("the cookie is not new")
	}
	if me := into[shop.User](t, b.want(b.do("GET", "/users/me", ""), 200, "")); me.ID != u.ID {
		t.Errorf("%+v", me)
	}
	if c := into[shop.Cart](t, b.do("GET", "/cart", "")); c.ItemCount != 2 {
		t.Errorf("%+v", c)
	}
	old := b.as(&http.Client{}, "GET", "/users/me", "", "Cookie: sid="+guest)
	b.want(old, 401, shop.CodeUnauthorized)
	if old.Header.Get("Set-Cookie") == "" {
		t.Error("the guest's cookie still stands")
	}
	b.want(b.as(b.browser(), "POST", "/users", strings.Replace(ann, "ann@", "ANN@", 1)), 409, shop.CodeEmailTaken)
}

func TestRegisterInput(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, field := range map[string]string{
		`{"password":"longenough"}`: "email", `{"email":"x","password":"longenough"}`: "email", `{"email":"Ann <a@b.c>","password":"longenough"}`: "email",
		`{"email":"a@b.c","password":"short"}`: "password", `{"email":"a@b.c"}`: "password",
		`{"email":"a@b.c","password":"` + strings.Repeat("x", 201) + `"}`:                     "password",
		`{"email":"a@b.c","password":"longenough","name":"` + strings.Repeat("x", 201) + `"}`: "name", `{"email":"a@b.c","password":"longenough","name":"a\nb"}`: "name",
		`{"email":"a@b.c","password":"longenough","admin":true}`: "admin",
	} {
		p := b.want(b.do("POST", "/users", body), 422, shop.CodeInvalid).problem(t)
		if len(p.Errors) != 1 || p.Errors[0].Field != field {
			t.Errorf("%.60s: %+v", body, p.Errors)
		}
	}
}

func TestRepeatedRegistration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := into[shop.User](t, b.want(b.do("POST", "/users", ann, "Idempotency-Key: r1"), 201, ""))
	lost := b.browser() // as if the answer, and its cookie, had not arrived
	again := into[shop.User](t, b.want(b.as(lost, "POST", "/users", ann, "Idempotency-Key: r1"), 201, ""))
	if again.ID != first.ID || into[shop.User](t, b.as(lost, "GET", "/users/me", "")).ID != first.ID {
		t.Errorf("%+v, want %+v", again, first)
	}
	thief := strings.Replace(ann, "correct horse", "a guess at it", 1)
	b.want(b.as(b.browser(), "POST", "/users", thief, "Idempotency-Key: r1"), 409, shop.CodeEmailTaken)
}

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.want(b.do("POST", "/users", ann), 201, "")
	b.fill(1, 1)
	b.want(b.do("POST", "/users/logout", ""), 204, "")
	if b.sid(b.client) != "" {
		t.Error("the cookie is still there")
	}
	b.want(b.do("GET", "/users/me", ""), 401, shop.CodeUnauthorized)

	b.fill(2, 1) // as a guest
	b.fill(3, 1)
	o := into[shop.Order](t, b.want(b.do("POST", "/orders/checkout", ""), 201, ""))
	b.fill(4, 1)
	guest := b.sid(b.client)
	login := `{"email":"Ann@example.org","password":"correct horse"}`
	for _, wrong := range []string{`{"email":"ann@example.org","password":"wrong horse"}`, `{"email":"bob@example.org","password":"correct horse"}`} {
		b.want(b.do("POST", "/users/login", wrong), 401, shop.CodeUnauthorized)
	}
	b.want(b.do("POST", "/users/login", login), 200, "")
	if b.sid(b.client) == guest {
		t.Error("the cookie is not new")
	}
	if c := into[shop.Cart](t, b.do("GET", "/cart", "")); c.ItemCount != 2 {
		t.Errorf("the guest's cart did not follow: %+v", c)
	}
	b.want(b.do("GET", "/orders/"+o.ID, ""), 200, "")
	b.want(b.as(&http.Client{}, "GET", "/orders/"+o.ID, "", "Cookie: sid="+guest), 404, shop.CodeNotFound)

	stolen := b.sid(b.client)
	b.want(b.do("POST", "/users/logout", ""), 204, "")
	b.want(b.as(&http.Client{}, "GET", "/users/me", "", "Cookie: sid="+stolen), 401, shop.CodeUnauthorized)
	b.want(b.do("POST", "/users/login", ""), 400, shop.CodeMalformed)
}

// When a sign-in breaks off after the guest was claimed, the same request again finishes it.
func TestSignInIsFinished(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.want(b.as(b.browser(), "POST", "/users", ann), 201, "")
	b.fill(1, 1)
	guest := into[shop.Cart](t, b.do("GET", "/cart", "")).ID
	b.shop.mu.Lock()
	for id := range b.shop.users {
		b.shop.claimed[guest] = id
	}
	b.shop.mu.Unlock()
	b.want(b.do("POST", "/users/login", `{"email":"ann@example.org","password":"correct horse"}`), 200, "")
	if c := into[shop.Cart](t, b.do("GET", "/cart", "")); c.ItemCount != 1 {
		t.Errorf("the guest's cart did not follow: %+v", c)
	}
}

func TestSignInIsLimited(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 10 {
		b.want(b.do("POST", "/users/login", `{"email":"eve@example.org","password":"guess"}`), 401, shop.CodeUnauthorized)
	}
	a := b.want(b.do("POST", "/users/login", `{"email":"Eve@example.org","password":"guess"}`), 429, shop.CodeTooManyRequests)
	if ra, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || ra < 1 || ra > 6 {
		t.Errorf("Retry-After %d %v", ra, err)
	}
	other := b.do("POST", "/users/login", `{"email":"eve@example.org","password":"guess"}`, "X-Forwarded-For: 10.0.0.1, 10.9.9.9")
	b.want(other, 401, shop.CodeUnauthorized)
}

func TestUpdateMe(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.want(b.do("PATCH", "/users/me", `{"name":"X"}`), 401, shop.CodeUnauthorized)
	b.want(b.do("POST", "/users", ann), 201, "")
	if u := into[shop.User](t, b.want(b.do("PATCH", "/users/me", `{"name":"Anna"}`), 200, "")); u.Name != "Anna" || u.Email != "ann@example.org" {
		t.Errorf("%+v", u)
	}
	for body, field := range map[string]string{`{"password":"new password"}`: "current_password", `{"email":"new@example.org"}`: "current_password",
		`{"email":"new@example.org","current_password":"wrong"}`: "current_password", `{"email":"no","current_password":"correct horse"}`: "email",
		`{"password":"short"}`: "password", `{"id":"x"}`: "id"} {
		if p := b.want(b.do("PATCH", "/users/me", body), 422, shop.CodeInvalid).problem(t); len(p.Errors) != 1 || p.Errors[0].Field != field {
			t.Errorf("%s: %+v", body, p.Errors)
		}
	}
	b.want(b.do("PATCH", "/users/me", `{"email":"new@example.org","password":"new password","current_password":"correct horse"}`), 200, "")
	b.want(b.as(b.browser(), "POST", "/users/login", `{"email":"new@example.org","password":"new password"}`), 200, "")
	b.want(b.as(b.browser(), "POST", "/users/login", `{"email":"new@example.org","password":"correct horse"}`), 401, shop.CodeUnauthorized)
}
