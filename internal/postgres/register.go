package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// An address and its account live on different shards. The claim comes first; it stands for as long as the account it
// names carries the address. A dead claim, left by a crash or by a change of address, is not cleaned up but overwritten
// by whoever wants the address: a minute after it was made, because accounts are only written in the first half of it.

// Register implements shop.UserStore.
func (s *Shards) Register(ctx context.Context, u shop.NewUser) (shop.User, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*s.timeout)
	defer cancel()
	row, err := s.userByID(ctx, u.ID)
	if err == nil {
		return registered(row, u)
	}
	if shop.CodeOf(err) != shop.CodeNotFound {
		return shop.User{}, err
	}
	claimed, err := s.claimEmail(ctx, u.Email, u.ID)
	if err != nil {
		return shop.User{}, err
	}
	var found []sharddb.UserByIDRow
	err = s.on(ctx, u.ID, func(ctx context.Context, n shard.Node) error {
		p := newPipe()
		_ = p.LockUser(ctx, u.ID)
		_ = p.InsertUser(ctx, sharddb.InsertUserParams{ID: u.ID, Email: u.Email, Name: u.Name, OpID: u.OpID,
			PasswordHash: u.PasswordHash, ClaimedAt: timestamp(claimed), Traceparent: traceparent(ctx)})
		_, _ = p.UserByID(ctx, u.ID)
		read := collect[sharddb.UserByIDRow](p)
		err := p.send(ctx, n.Pool)
		found = read.all
		return err
	})
	if err != nil {
		return shop.User{}, err
	}
	if len(found) == 0 {
		return shop.User{}, shop.Errorf(shop.CodeConflict,
			"this visitor cannot become an account (an account has taken over the visit): start a new visit and ask again")
	}
	return registered(found[0], u)
}

// registered answers for an account that exists: it is this request's own, or somebody was here before.
func registered(row sharddb.UserByIDRow, u shop.NewUser) (shop.User, error) {
	switch {
	case row.OpID == u.OpID && u.OpID != "" && row.Email == u.Email:
		return toUser(row), nil
	case emailKey(row.Email) == emailKey(u.Email):
		return shop.User{}, emailTaken()
	default:
		return shop.User{}, shop.Errorf(shop.CodeConflict, "this visitor has an account already: sign in, or sign out first")
	}
}

func emailTaken() error {
	return &shop.Error{Code: shop.CodeEmailTaken, Detail: "an account with this address exists: sign in instead",
		Fields: []shop.FieldError{{Field: "email", Message: "is taken"}}}
}

// claimEmail makes the address the user's and returns when, by the clock of the address's shard.
func (s *Shards) claimEmail(ctx context.Context, email, userID string) (time.Time, error) {
	key := emailKey(email)
	if key == "" {
		return time.Time{}, shop.Invalid("email", "must not be empty")
	}
	params := sharddb.ClaimEmailParams{Email: key, UserID: userID, SeenAt: timestamp(time.Time{})}
	for range maxAttempts {
		var claim sharddb.ClaimEmailRow
		err := s.on(ctx, key, func(ctx context.Context, n shard.Node) (err error) {
			claim, err = sharddb.New(n.Pool).ClaimEmail(ctx, params)
			return err
		})
		if errors.Is(err, pgx.ErrNoRows) {
			continue // another claim was committed after this statement began: now it can be seen
		}
		if err != nil {
			return time.Time{}, err
		}
		if claim.UserID == userID {
			return timeOf(claim.ClaimedAt), nil
		}
		owner, err := s.userByID(ctx, claim.UserID)
		if err != nil && shop.CodeOf(err) != shop.CodeNotFound {
			return time.Time{}, err
		}
		if !claim.Stale || (err == nil && emailKey(owner.Email) == key) {
			return time.Time{}, emailTaken()
		}
		params.SeenUser, params.SeenAt = claim.UserID, claim.ClaimedAt
	}
	return time.Time{}, emailTaken()
}

// UpdateUser implements shop.UserStore. The claim on the old address is left to die.
func (s *Shards) UpdateUser(ctx context.Context, id string, p shop.UserPatch) (shop.User, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*s.timeout)
	defer cancel()
	if _, err := s.userByID(ctx, id); err != nil {
		return shop.User{}, err
	}
	params := sharddb.UpdateUserParams{ID: id, ClaimedAt: pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}}
	if p.Email != nil {
		claimed, err := s.claimEmail(ctx, *p.Email, id)
		if err != nil {
			return shop.User{}, err
		}
		params.SetEmail, params.Email, params.ClaimedAt = true, *p.Email, timestamp(claimed)
	}
	if p.Name != nil {
		params.SetName, params.Name = true, *p.Name
	}
	if p.PasswordHash != nil {
		params.SetPasswordHash, params.PasswordHash = true, *p.PasswordHash
	}
	var row sharddb.UpdateUserRow
	err := s.on(ctx, id, func(ctx context.Context, n shard.Node) (err error) {
		row, err = sharddb.New(n.Pool).UpdateUser(ctx, params)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return shop.User{}, shop.Errorf(shop.CodeUnavailable, "the address could not be changed in time: try again")
	}
	return shop.User{ID: row.ID, Email: row.Email, Name: row.Name, CreatedAt: timeOf(row.CreatedAt)}, err
}
