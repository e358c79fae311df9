package shop

import (
	"context"
	"time"
)

// User is an account; it lives on the shard of its id. A guest has an id but no User.
type User struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// NewUser is a registration. ID is the guest's id, so that cart and orders stay where they are.
// OpID makes a repeated registration by the same request succeed instead of finding the address taken.
type NewUser struct {
	ID           string
	Email        string
	Name         string
	PasswordHash string
	OpID         string
}

// UserPatch changes what is not nil.
type UserPatch struct {
	Email        *string
	Name         *string
	PasswordHash *string
}

// UserStore keeps accounts and sign-ins.
type UserStore interface {
	// Register claims the address (shard of the address), then writes the account (shard of the id).
	// CodeEmailTaken when another account has it.
	Register(ctx context.Context, u NewUser) (User, error)
	// Credentials returns the account of an address and its password hash, or CodeNotFound.
	Credentials(ctx context.Context, email string) (User, string, error)
	// User returns an account, or CodeNotFound.
	User(ctx context.Context, id string) (User, error)
	// PasswordHash returns the account's hash, or CodeNotFound.
	PasswordHash(ctx context.Context, id string) (string, error)
	UpdateUser(ctx context.Context, id string, p UserPatch) (User, error)

	// CreateSession records a sign-in. DeleteSession ends it.
	CreateSession(ctx context.Context, userID, sessionID string, expires time.Time) error
	DeleteSession(ctx context.Context, userID, sessionID string) error
	// SessionValid tells whether a signed-in session still stands (sessionID set), or whether a guest id is still a
	// guest's (sessionID empty): neither registered as an account nor claimed by one.
	SessionValid(ctx context.Context, userID, sessionID string) (bool, error)
	// ClaimGuest makes the guest's orders visible to the account; a guest is claimed once, by one account.
	// Claiming again by the same account does nothing; by another it is CodeConflict.
	ClaimGuest(ctx context.Context, guestID, userID string) error
}
