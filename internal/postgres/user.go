package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// User implements shop.UserStore.
func (s *Shards) User(ctx context.Context, id string) (shop.User, error) {
	row, err := s.userByID(ctx, id)
	return toUser(row), err
}

// PasswordHash implements shop.UserStore.
func (s *Shards) PasswordHash(ctx context.Context, id string) (string, error) {
	row, err := s.userByID(ctx, id)
	return row.PasswordHash, err
}

// Credentials implements shop.UserStore.
func (s *Shards) Credentials(ctx context.Context, email string) (shop.User, string, error) {
	key := emailKey(email)
	if key == "" {
		return shop.User{}, "", shop.NotFound("account with the address", email)
	}
	var owner string
	err := s.on(ctx, key, func(ctx context.Context, n shard.Node) (err error) {
		owner, err = sharddb.New(n.Pool).EmailOwner(ctx, key)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return shop.User{}, "", shop.NotFound("account with the address", email)
	}
	if err != nil {
		return shop.User{}, "", err
	}
	row, err := s.userByID(ctx, owner)
	if shop.CodeOf(err) == shop.CodeNotFound || (err == nil && emailKey(row.Email) != key) {
		return shop.User{}, "", shop.NotFound("account with the address", email)
	}
	return toUser(row), row.PasswordHash, err
}

func (s *Shards) userByID(ctx context.Context, id string) (row sharddb.UserByIDRow, err error) {
	if id == "" {
		return row, shop.NotFound("account", id)
	}
	err = s.on(ctx, id, func(ctx context.Context, n shard.Node) (err error) {
		row, err = sharddb.New(n.Pool).UserByID(ctx, id)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = shop.NotFound("account", id)
	}
	return row, err
}

// emailKey is what makes two addresses the same, and the sharding key of the claim on one.
func emailKey(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

func toUser(r sharddb.UserByIDRow) shop.User {
	return shop.User{ID: r.ID, Email: r.Email, Name: r.Name, CreatedAt: timeOf(r.CreatedAt)}
}

// CreateSession implements shop.UserStore.
func (s *Shards) CreateSession(ctx context.Context, userID, sessionID string, expires time.Time) error {
	return s.on(ctx, userID, func(ctx context.Context, n shard.Node) error {
		return sharddb.New(n.Pool).CreateSession(ctx, sharddb.CreateSessionParams{UserID: userID, ID: sessionID,
			ExpiresAt: timestamp(expires)})
	})
}

// DeleteSession implements shop.UserStore.
func (s *Shards) DeleteSession(ctx context.Context, userID, sessionID string) error {
	return s.on(ctx, userID, func(ctx context.Context, n shard.Node) error {
		return sharddb.New(n.Pool).DeleteSession(ctx, sharddb.DeleteSessionParams{UserID: userID, ID: sessionID})
	})
}

// SessionValid implements shop.UserStore.
func (s *Shards) SessionValid(ctx context.Context, userID, sessionID string) (valid bool, err error) {
	err = s.on(ctx, userID, func(ctx context.Context, n shard.Node) (err error) {
		if sessionID == "" {
			valid, err = sharddb.New(n.Pool).GuestStands(ctx, userID)
		} else {
			valid, err = sharddb.New(n.Pool).SessionStands(ctx, sharddb.SessionStandsParams{UserID: userID, ID: sessionID})
		}
		return err
	})
	return valid, err
}

// ClaimGuest implements shop.UserStore. The guest's shard decides; the account's shard then remembers.
func (s *Shards) ClaimGuest(ctx context.Context, guestID, userID string) error {
	if guestID == userID {
		return nil
	}
	var owner []string
	err := s.on(ctx, guestID, func(ctx context.Context, n shard.Node) error {
		p := newPipe()
		_ = p.LockUser(ctx, guestID)
		_ = p.ClaimGuest(ctx, sharddb.ClaimGuestParams{GuestID: guestID, UserID: userID})
		_, _ = p.GuestOwner(ctx, guestID)
		found := collectValues[string](p)
		err := p.send(ctx, n.Pool)
		owner = found.all
		return err
	})
	if err != nil {
		return err
	}
	if len(owner) != 1 || owner[0] != userID {
		return shop.Errorf(shop.CodeConflict, "this visitor's orders belong to another account: sign in to that one")
	}
	return s.on(ctx, userID, func(ctx context.Context, n shard.Node) error {
		return sharddb.New(n.Pool).AddGuest(ctx, sharddb.AddGuestParams{UserID: userID, GuestID: guestID})
	})
}
