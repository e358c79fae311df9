package cached_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/cached"
	"github.com/stampede-shop/stampede/internal/shop"
)

// accounts knows which sessions stand.
type accounts struct {
	shop.UserStore
	mu    sync.Mutex
	valid map[string]bool
	asked int
}

func (a *accounts) SessionValid(_ context.Context, userID, sessionID string) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	return a.valid[userID+"/"+sessionID], nil
}

func (a *accounts) put(key string, valid bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.valid[key] = valid
	return nil
}

func (a *accounts) CreateSession(_ context.Context, u, s string, _ time.Time) error {
	return a.put(u+"/"+s, true)
}
func (a *accounts) DeleteSession(_ context.Context, u, s string) error { return a.put(u+"/"+s, false) }
func (a *accounts) ClaimGuest(_ context.Context, guest, _ string) error {
	return a.put(guest+"/", false)
}
func (a *accounts) Register(_ context.Context, u shop.NewUser) (shop.User, error) {
	return shop.User{ID: u.ID}, a.put(u.ID+"/", false)
}

func TestSessionsEndEverywhere(t *testing.T) {
	t.Parallel()
	stores, _ := processes(t, 2)
	db := &accounts{valid: map[string]bool{"guest1/": true, "guest2/": true}}
	procs := []*cached.Users{cached.NewUsers(db, stores[0], cached.Options{}), cached.NewUsers(db, stores[1], cached.Options{})}
	look := func(user, session string, want bool) {
		t.Helper()
		for i, p := range procs {
			for range 3 {
				if got, err := p.SessionValid(t.Context(), user, session); err != nil || got != want {
					t.Fatalf("process %d: %s/%s is %v (%v), want %v", i, user, session, got, err, want)
				}
			}
		}
	}
	look("u", "s", false)
	if err := procs[0].CreateSession(t.Context(), "u", "s", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	look("u", "s", true)
	if err := procs[1].DeleteSession(t.Context(), "u", "s"); err != nil {
		t.Fatal(err)
	}
	look("u", "s", false)
	look("guest1", "", true)
	look("guest2", "", true)
	if _, err := procs[0].Register(t.Context(), shop.NewUser{ID: "guest1"}); err != nil {
		t.Fatal(err)
	}
	if err := procs[1].ClaimGuest(t.Context(), "guest2", "u"); err != nil {
		t.Fatal(err)
	}
	look("guest1", "", false)
	look("guest2", "", false)
	if db.asked != 14 { // seven looks, two processes, once each
		t.Errorf("the store was asked %d times, want 14", db.asked)
	}
}
