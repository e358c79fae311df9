package postgres_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

func newUser(email string) shop.NewUser {
	return shop.NewUser{ID: newID(), Email: email, Name: "Ann", PasswordHash: "hash", OpID: newID()}
}

func mail() string { return newID() + "@example.com" }

func TestUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	t.Run("accounts", func(t *testing.T) { userAccounts(t, w) })
	t.Run("one account an address", func(t *testing.T) { userRace(t, w) })
	t.Run("dead claims are taken over", func(t *testing.T) { userTakeover(t, w) })
	t.Run("change of address", func(t *testing.T) { userUpdate(t, w) })
	t.Run("sessions", func(t *testing.T) { userSessions(t, w) })
	t.Run("guests", func(t *testing.T) { userGuests(t, w) })
	t.Run("orders of guests", func(t *testing.T) { userOrders(t, w) })
}

func userAccounts(t *testing.T, w *world) {
	ctx, u := t.Context(), newUser("Ann-"+mail())
	made, err := w.Register(ctx, u)
	check(t, err)
	if made.ID != u.ID || made.Email != u.Email || made.Name != "Ann" || made.CreatedAt.IsZero() {
		t.Fatalf("%+v", made)
	}
	if again, err := w.Register(ctx, u); err != nil || again != made {
		t.Fatalf("repeated: %+v, %v", again, err)
	}
	other := newUser(strings.ToUpper(u.Email))
	_, err = w.Register(ctx, other)
	wantCode(t, err, shop.CodeEmailTaken)
	same := u
	same.OpID = newID()
	_, err = w.Register(ctx, same)
	wantCode(t, err, shop.CodeEmailTaken)
	same.Email = mail()
	_, err = w.Register(ctx, same)
	wantCode(t, err, shop.CodeConflict)

	found, hash, err := w.Credentials(ctx, " "+strings.ToUpper(u.Email))
	if err != nil || found != made || hash != "hash" {
		t.Fatalf("%+v, %q, %v", found, hash, err)
	}
	_, _, err = w.Credentials(ctx, mail())
	wantCode(t, err, shop.CodeNotFound)
	_, err = w.User(ctx, newID())
	wantCode(t, err, shop.CodeNotFound)
	if hash, err = w.PasswordHash(ctx, u.ID); err != nil || hash != "hash" {
		t.Fatal(hash, err)
	}
	if n := w.count(t, u.ID, `SELECT count(*) FROM outbox WHERE topic = 'user.registered' AND key = $1`, u.ID); n != 1 {
		t.Fatalf("%d events", n)
	}
}

func userRace(t *testing.T, w *world) {
	email := mail()
	var made, taken atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			switch _, err := w.Register(t.Context(), newUser(email)); shop.CodeOf(err) {
			case "":
				made.Add(1)
			case shop.CodeEmailTaken:
				taken.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 || taken.Load() != 19 {
		t.Fatalf("%d made, %d taken", made.Load(), taken.Load())
	}
}

func userTakeover(t *testing.T, w *world) {
	ctx, email := t.Context(), mail()
	w.exec(t, email, `INSERT INTO user_emails (email, user_id) VALUES ($1, $2)`, email, newID()) // its registrant died
	_, err := w.Register(ctx, newUser(email))
	wantCode(t, err, shop.CodeEmailTaken)
	w.exec(t, email, `UPDATE user_emails SET claimed_at = now() - interval '61 seconds' WHERE email = $1`, email)
	var made atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := w.Register(ctx, newUser(email)); err == nil {
				made.Add(1)
			} else if shop.CodeOf(err) != shop.CodeEmailTaken {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 {
		t.Fatalf("%d accounts took the address over", made.Load())
	}
	w.exec(t, email, `UPDATE user_emails SET claimed_at = now() - interval '1 day' WHERE email = $1`, email)
	_, err = w.Register(ctx, newUser(email)) // an old claim with an account stands
	wantCode(t, err, shop.CodeEmailTaken)
}

func userUpdate(t *testing.T, w *world) {
	ctx, a, b := t.Context(), newUser(mail()), newUser(mail())
	for _, u := range []shop.NewUser{a, b} {
		_, err := w.Register(ctx, u)
		check(t, err)
	}
	_, err := w.UpdateUser(ctx, a.ID, shop.UserPatch{Email: &b.Email})
	wantCode(t, err, shop.CodeEmailTaken)
	_, err = w.UpdateUser(ctx, newID(), shop.UserPatch{})
	wantCode(t, err, shop.CodeNotFound)
	next, name, hash := mail(), "Bob", "new hash"
	u, err := w.UpdateUser(ctx, a.ID, shop.UserPatch{Email: &next, Name: &name})
	if err != nil || u.Email != next || u.Name != "Bob" {
		t.Fatalf("%+v, %v", u, err)
	}
	_, err = w.UpdateUser(ctx, a.ID, shop.UserPatch{PasswordHash: &hash})
	check(t, err)
	if u, got, err := w.Credentials(ctx, next); err != nil || got != hash || u.Name != "Bob" {
		t.Fatalf("%+v, %q, %v", u, got, err)
	}
	_, _, err = w.Credentials(ctx, a.Email)
	wantCode(t, err, shop.CodeNotFound)
	w.exec(t, a.Email, `UPDATE user_emails SET claimed_at = now() - interval '2 minutes' WHERE email = $1`, a.Email)
	if _, err = w.Register(ctx, newUser(a.Email)); err != nil {
		t.Fatalf("the old address is free again: %v", err)
	}
	_, err = w.UpdateUser(ctx, a.ID, shop.UserPatch{Email: &a.Email})
	wantCode(t, err, shop.CodeEmailTaken)
}

func userSessions(t *testing.T, w *world) {
	ctx, u := t.Context(), newUser(mail())
	valid := func(session string, want bool) {
		t.Helper()
		if got, err := w.SessionValid(ctx, u.ID, session); err != nil || got != want {
			t.Fatalf("session %q: %t, %v", session, got, err)
		}
	}
	valid("", true)
	_, err := w.Register(ctx, u)
	check(t, err)
	valid("", false) // a registered guest has to sign in
	check(t, w.CreateSession(ctx, u.ID, "s1", time.Now().Add(time.Hour)))
	check(t, w.CreateSession(ctx, u.ID, "s2", time.Now().Add(-time.Hour)))
	valid("s1", true)
	valid("s2", false)
	valid("s3", false)
	if n, err := w.PurgeOldKeys(ctx, 100); err != nil || n < 1 {
		t.Fatalf("purged %d, %v", n, err)
	}
	check(t, w.DeleteSession(ctx, u.ID, "s1"))
	valid("s1", false)
}

func userGuests(t *testing.T, w *world) {
	ctx, guest, a, b := t.Context(), newID(), newID(), newID()
	check(t, w.ClaimGuest(ctx, guest, a))
	check(t, w.ClaimGuest(ctx, guest, a))
	wantCode(t, w.ClaimGuest(ctx, guest, b), shop.CodeConflict)
	check(t, w.ClaimGuest(ctx, a, a))
	if ok, err := w.SessionValid(ctx, guest, ""); err != nil || ok {
		t.Fatalf("a claimed guest is no guest: %t, %v", ok, err)
	}
	late := newUser(mail())
	late.ID = guest
	_, err := w.Register(ctx, late)
	wantCode(t, err, shop.CodeConflict)
	account := newUser(mail())
	_, err = w.Register(ctx, account)
	check(t, err)
	wantCode(t, w.ClaimGuest(ctx, account.ID, b), shop.CodeConflict)
}

func userOrders(t *testing.T, w *world) {
	ctx, s, p := t.Context(), w.saga(nil), w.product(t, 100)
	user := newID()
	var ids []string
	for i := range 7 { // three of its own, four of two guests, on whatever shards
		owner := user
		if i%2 == 1 {
			owner = fmt.Sprintf("%s-guest-%d", user, i%3)
			check(t, w.ClaimGuest(ctx, owner, user))
		}
		_, err := w.AddLine(ctx, owner, "", shop.LineOf(p, 1), "USD")
		check(t, err)
		r, err := s.Run(ctx, buy(owner))
		check(t, err)
		ids = append([]string{r.Order.ID}, ids...)
	}
	var got []string
	for cursor, pages := "", 0; ; pages++ {
		page, err := w.Orders(ctx, user, 3, cursor)
		check(t, err)
		for _, o := range page.Orders {
			if len(o.Items) != 1 || o.Items[0].LineTotal != p.Price || o.Status != shop.OrderConfirmed {
				t.Fatalf("%+v", o)
			}
			got = append(got, o.ID)
		}
		if cursor = page.Next; cursor == "" {
			if pages != 2 {
				t.Fatalf("%d pages", pages+1)
			}
			break
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(ids) {
		t.Fatalf("got %v, want %v", got, ids)
	}
	for _, id := range ids {
		o, err := s.Cancel(ctx, user, id)
		if err != nil || o.Status != shop.OrderCancelled {
			t.Fatalf("%+v, %v", o, err)
		}
	}
	if w.left(t, p) != 100 {
		t.Fatalf("%d left", w.left(t, p))
	}
	for _, bad := range []string{"x", "bm90IG91cnM", "!"} {
		_, err := w.Orders(ctx, user, 3, bad)
		wantCode(t, err, shop.CodeInvalid)
	}
}
