package account

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

func accounts(f *fakeUsers, now func() time.Time) *Accounts {
	a := NewAccounts(Options{Users: f, Carts: f, Now: now})
	a.hasher.params = cheap
	return a
}

func fieldsOf(err error) (fields []string) {
	var e *shop.Error
	if errors.As(err, &e) && e.Code == shop.CodeInvalid {
		for _, f := range e.Fields {
			fields = append(fields, f.Field)
		}
	}
	return fields
}

func TestRegister(t *testing.T) {
	t.Parallel()
	f := newFakeUsers()
	a := accounts(f, nil)
	u, err := a.Register(t.Context(), "guest1", "op1", " ann@example.org ", "correct horse", " Ann ")
	if err != nil || u.ID != "guest1" || u.Email != "ann@example.org" || u.Name != "Ann" {
		t.Fatalf("%+v %v", u, err)
	}
	if !strings.HasPrefix(f.hashes["guest1"], "$argon2id$") {
		t.Errorf("stored %q", f.hashes["guest1"])
	}
	if again, err := a.Register(t.Context(), "guest2", "op1", "ann@example.org", "correct horse", ""); err != nil || again.ID != "guest1" {
		t.Errorf("the same again: %+v %v", again, err)
	}
	for _, op := range []string{"op1", "op2", ""} { // a guessed op id must not open the account
		if u, err := a.Register(t.Context(), "guest3", op, "ann@example.org", "another password", ""); shop.CodeOf(err) != shop.CodeEmailTaken || u.ID != "" {
			t.Errorf("op %q: %+v %v", op, u, err)
		}
	}
}

func TestRegisterFields(t *testing.T) {
	t.Parallel()
	a := accounts(newFakeUsers(), nil)
	_, err := a.Register(t.Context(), "g", "", "no address", "short", "a\x00b")
	if got := fieldsOf(err); !slices.Equal(got, []string{"email", "password", "name"}) {
		t.Errorf("%v", got)
	}
	for email, ok := range map[string]bool{"a@b.c": true, "a+b@x.example": true, "élan@example.org": true, "": false, "a": false, "@b": false, "a@": false, "a b@c": false,
		`"a b"@c`: false, "A <a@b.c>": false, "a@b.c,d@e.f": false, "a@b.c\r\nBcc: x@y.z": false, strings.Repeat("a", 250) + "@b.c": true, strings.Repeat("a", 251) + "@b.c": false, "a@b\x00.c": false} {
		if got := checkEmail(email) == ""; got != ok {
			t.Errorf("%q: %v", email, got)
		}
	}
	for password, ok := range map[string]bool{"12345678": true, "1234567": false, "": false, strings.Repeat("é", 200): true, strings.Repeat("x", 201): false} {
		if got := checkPassword(password) == ""; got != ok {
			t.Errorf("%q: %v", password, got)
		}
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	f := newFakeUsers()
	a := accounts(f, nil)
	if _, err := a.Register(t.Context(), "ann", "", "ann@example.org", "correct horse", ""); err != nil {
		t.Fatal(err)
	}
	f.log = nil
	u, err := a.Login(t.Context(), Session{UserID: "guest"}, "ANN@example.org", "correct horse")
	if err != nil || u.ID != "ann" || f.claimed["guest"] != "ann" {
		t.Errorf("%+v %v", u, err)
	}
	if !slices.Equal(f.log, []string{"credentials", "claim", "merge"}) { // only the owner of a guest gets its cart
		t.Errorf("%v", f.log)
	}
	f.claimed["taken"] = "bob"
	for _, guest := range []Session{{}, {UserID: "ann", ID: "s"}, {UserID: "ann"}, {UserID: "bob", ID: "s2"}, {UserID: "taken"}} {
		if _, err := a.Login(t.Context(), guest, "ann@example.org", "correct horse"); err != nil {
			t.Errorf("%+v: %v", guest, err)
		}
	}
	if n := len(f.log); f.log[n-1] != "claim" {
		t.Errorf("a cart was taken from another account's guest: %v", f.log)
	}
	if f.claimed["bob"] != "" || f.claimed["taken"] != "bob" {
		t.Errorf("%v", f.claimed)
	}
	for _, c := range [][2]string{{"ann@example.org", "wrong"}, {"bob@example.org", "correct horse"}, {"bob@example.org", "nobody's password"}} {
		if u, err := a.Login(t.Context(), Session{UserID: "g"}, c[0], c[1]); shop.CodeOf(err) != shop.CodeUnauthorized || u.ID != "" || f.claimed["g"] != "" {
			t.Errorf("%v: %+v %v", c, u, err)
		}
	}
	if _, err := a.Login(t.Context(), Session{}, "", ""); !slices.Equal(fieldsOf(err), []string{"email", "password"}) {
		t.Errorf("%v", err)
	}
	f.fail = errDown
	if _, err := a.Login(t.Context(), Session{}, "ann@example.org", "correct horse"); !errors.Is(err, errDown) {
		t.Errorf("%v", err)
	}
}

func TestLoginLimits(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	f := newFakeUsers()
	a := accounts(f, func() time.Time { return now })
	if _, err := a.Register(t.Context(), "ann", "", "ann@example.org", "correct horse", ""); err != nil {
		t.Fatal(err)
	}
	try := func(client, password string) error {
		_, err := a.Login(WithClient(t.Context(), client), Session{}, "ann@example.org", password)
		return err
	}
	for range pairBurst - 1 {
		if err := try("1.1.1.1", "wrong"); shop.CodeOf(err) != shop.CodeUnauthorized {
			t.Fatal(err)
		}
	}
	if err := try("1.1.1.1", "correct horse"); err != nil {
		t.Fatal(err)
	}
	for range pairBurst { // signing in gave the full number back
		if err := try("1.1.1.1", "wrong"); shop.CodeOf(err) != shop.CodeUnauthorized {
			t.Fatal(err)
		}
	}
	var e *shop.Error
	if err := try("1.1.1.1", "correct horse"); !errors.As(err, &e) || e.Code != shop.CodeTooManyRequests || e.RetryAfter <= 0 || e.RetryAfter > refill {
		t.Fatalf("%v", err)
	}
	if err := try("2.2.2.2", "correct horse"); err != nil {
		t.Errorf("another client is kept out: %v", err)
	}
	now = now.Add(refill)
	if err := try("1.1.1.1", "correct horse"); err != nil {
		t.Errorf("after the wait: %v", err)
	}
	for i := range emailBurst {
		_ = try("3.3.3."+string(rune('0'+i)), "wrong")
	}
	if err := try("4.4.4.4", "wrong"); shop.CodeOf(err) != shop.CodeTooManyRequests {
		t.Errorf("an address attacked from everywhere: %v", err)
	}
}

func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	l := newLimiter(1, 10, time.Now)
	for i := range 1000 {
		l.take(strings.Repeat("x", i))
	}
	if len(l.cur) > 10 || len(l.old) > 10 {
		t.Errorf("%d and %d", len(l.cur), len(l.old))
	}
	l.take("kept")
	for i := range 9 {
		l.take(strings.Repeat("y", i+1))
	}
	if l.take("kept") == 0 {
		t.Error("a key of the generation before was forgotten")
	}
}

func TestUpdateAndMe(t *testing.T) {
	t.Parallel()
	f := newFakeUsers()
	a := accounts(f, nil)
	if _, err := a.Register(t.Context(), "ann", "", "ann@example.org", "correct horse", ""); err != nil {
		t.Fatal(err)
	}
	str := func(s string) *string { return &s }
	me := Session{UserID: "ann", ID: "s"}
	for _, guest := range []Session{{}, {UserID: "ann"}} {
		_, err := a.Update(t.Context(), guest, Patch{Name: str("x")})
		_, errMe := a.Me(t.Context(), guest)
		if shop.CodeOf(err) != shop.CodeUnauthorized || shop.CodeOf(errMe) != shop.CodeUnauthorized {
			t.Errorf("%+v: %v %v", guest, err, errMe)
		}
	}
	if _, err := a.Me(t.Context(), Session{UserID: "gone", ID: "s"}); shop.CodeOf(err) != shop.CodeUnauthorized {
		t.Errorf("%v", err)
	}
	if u, err := a.Update(t.Context(), me, Patch{Name: str(" Ann ")}); err != nil || u.Name != "Ann" {
		t.Errorf("%+v %v", u, err)
	}
	for _, p := range []Patch{{Email: str("x@y.z")}, {Password: str("new password")}, {Password: str("new password"), CurrentPassword: str("wrong")}} {
		if _, err := a.Update(t.Context(), me, p); !slices.Equal(fieldsOf(err), []string{"current_password"}) {
			t.Errorf("%v", err)
		}
	}
	if _, err := a.Update(t.Context(), me, Patch{Password: str("new password"), CurrentPassword: str("correct horse")}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Login(context.Background(), Session{}, "ann@example.org", "new password"); err != nil {
		t.Error(err)
	}
	if u, err := a.Me(t.Context(), me); err != nil || u.ID != "ann" {
		t.Errorf("%+v %v", u, err)
	}
}
