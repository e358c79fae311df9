package cached

import (
	"context"
	"time"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/shop"
)

// Users is a shop.UserStore that remembers which sessions stand. Everything else passes through.
type Users struct {
	shop.UserStore
	purge purger
	valid *cache.Family[bool]
}

var _ shop.UserStore = (*Users)(nil)

// NewUsers puts s in front of next.
func NewUsers(next shop.UserStore, s *cache.Store, o Options) *Users {
	o = o.withDefaults()
	return &Users{UserStore: next, purge: purger{s.Invalidate, o.Log},
		valid: cache.New[bool](s, "session", cache.FamilyOptions{TTL: o.SessionTTL, L1Bytes: o.L1Bytes / 8, L1Only: true, Size: func(any) int { return 1 }})}
}

// SessionValid answers from memory when it can.
func (c *Users) SessionValid(ctx context.Context, userID, sessionID string) (bool, error) {
	ok, _, err := c.valid.Get(ctx, userID+"\x00"+sessionID, func(ctx context.Context) (bool, []string, error) {
		ok, err := c.UserStore.SessionValid(ctx, userID, sessionID)
		return ok, []string{TagUser(userID)}, err
	})
	return ok, answer(ctx, err)
}

// The writes below forget what is known of a session whether they succeed or not: a failure may have happened after the commit.

// CreateSession records a sign-in.
func (c *Users) CreateSession(ctx context.Context, userID, sessionID string, expires time.Time) error {
	defer c.purge.do(ctx, TagUser(userID))
	return c.UserStore.CreateSession(ctx, userID, sessionID, expires)
}

// DeleteSession ends a sign-in; when it returns, every process that can be reached knows.
func (c *Users) DeleteSession(ctx context.Context, userID, sessionID string) error {
	defer c.purge.do(ctx, TagUser(userID))
	return c.UserStore.DeleteSession(ctx, userID, sessionID)
}

// Register makes an account of a guest, whose guest session ends with it.
func (c *Users) Register(ctx context.Context, u shop.NewUser) (shop.User, error) {
	defer c.purge.do(ctx, TagUser(u.ID))
	return c.UserStore.Register(ctx, u)
}

// ClaimGuest gives a guest's orders to an account; the guest session ends with it.
func (c *Users) ClaimGuest(ctx context.Context, guestID, userID string) error {
	defer c.purge.do(ctx, TagUser(guestID), TagUser(userID))
	return c.UserStore.ClaimGuest(ctx, guestID, userID)
}
