package account

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Options configures [NewAccounts]; Users and Carts are needed.
type Options struct {
	Users shop.UserStore
	Carts shop.CartStore
	// Sessions is kept for callers that hold only Accounts; may be nil.
	Sessions *Sessions
	Log      *slog.Logger     // nil discards
	Now      func() time.Time // nil is time.Now
}

// Accounts registers, signs in and changes accounts. It is safe for concurrent use.
// Starting and ending a session stays with [Sessions]: call SignIn after Register or Login succeeded.
type Accounts struct {
	users  shop.UserStore
	carts  shop.CartStore
	log    *slog.Logger
	hasher *hasher
	pairs  *limiter
	emails *limiter
	// decoy is the hash that passwords for unknown addresses are compared with.
	decoy func() (string, error)

	// Sessions is Options.Sessions.
	Sessions *Sessions
}

// NewAccounts makes Accounts.
func NewAccounts(o Options) *Accounts {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	h := newHasher(defaultParams)
	return &Accounts{
		users: o.Users, carts: o.Carts, log: o.Log, Sessions: o.Sessions, hasher: h,
		pairs: newLimiter(pairBurst, maxBuckets, o.Now), emails: newLimiter(emailBurst, maxBuckets, o.Now),
		decoy: sync.OnceValues(func() (string, error) { return h.hash(context.Background(), "nobody's password") }),
	}
}

// Register makes the guest an account holder: the account's id is guestID, so cart and orders stay theirs. opID, when
// not "", makes a repetition of the same request succeed. Errors: CodeInvalid with the fields email, password and name;
// CodeEmailTaken; CodeUnavailable.
func (a *Accounts) Register(ctx context.Context, guestID, opID, email, password, name string) (shop.User, error) {
	email, name = strings.TrimSpace(email), strings.TrimSpace(name)
	var p problems
	p.add("email", checkEmail(email))
	p.add("password", checkPassword(password))
	p.add("name", checkName(name))
	if err := p.err(); err != nil {
		return shop.User{}, err
	}
	if opID == "" {
		opID = newUUID()
	}
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return shop.User{}, err
	}
	u, err := a.users.Register(ctx, shop.NewUser{ID: guestID, Email: email, Name: name, PasswordHash: hash, OpID: opID})
	if err != nil || u.ID == guestID {
		return u, err
	}
	return a.sameRegistrant(ctx, u, password)
}

// sameRegistrant guards the answer to a repeated registration, which is another id's account: an op id may be guessed,
// so only who knows the password gets it.
func (a *Accounts) sameRegistrant(ctx context.Context, u shop.User, password string) (shop.User, error) {
	hash, err := a.users.PasswordHash(ctx, u.ID)
	if err != nil {
		return shop.User{}, err
	}
	ok, err := a.hasher.verify(ctx, hash, password)
	if err != nil {
		return shop.User{}, err
	}
	if !ok {
		return shop.User{}, shop.Errorf(shop.CodeEmailTaken, "this e-mail address has an account: sign in, or use another address")
	}
	return u, nil
}

// Login checks address and password; what guest ([Sessions.Guest], the zero Session for none) has in the cart and has
// bought becomes the account's. Errors: CodeUnauthorized, the same and after the same work whether the address or the password is wrong;
// CodeTooManyRequests; CodeInvalid; CodeUnavailable.
func (a *Accounts) Login(ctx context.Context, guest Session, email, password string) (shop.User, error) {
	email = strings.TrimSpace(email)
	if err := checkCredentials(email, password); err != nil {
		return shop.User{}, err
	}
	key := strings.ToLower(email)
	pair := key + "\n" + Client(ctx)
	if err := a.limit(pair, key); err != nil {
		return shop.User{}, err
	}
	u, hash, err := a.users.Credentials(ctx, email)
	unknown := shop.CodeOf(err) == shop.CodeNotFound
	if unknown {
		hash, err = a.decoy()
	}
	if err != nil {
		return shop.User{}, err
	}
	ok, err := a.hasher.verify(ctx, hash, password)
	if err != nil {
		return shop.User{}, err
	}
	if unknown || !ok {
		return shop.User{}, shop.Errorf(shop.CodeUnauthorized, "e-mail address or password is wrong: check both, or register")
	}
	a.pairs.forget(pair)
	return u, a.adopt(ctx, guest, u.ID)
}

func checkCredentials(email, password string) error {
	var p problems
	if email == "" {
		p.add("email", "is required")
	}
	if password == "" {
		p.add("password", "is required")
	}
	if len(email) > MaxEmailLen || strings.ContainsRune(email, 0) {
		p.add("email", checkEmail(email))
	}
	if len(password) > 4*MaxPasswordLen {
		p.add("password", "must have at most 200 characters")
	}
	return p.err()
}

func (a *Accounts) limit(pair, email string) error {
	wait := a.pairs.take(pair)
	if wait == 0 {
		wait = a.emails.take(email)
	}
	if wait == 0 {
		return nil
	}
	return &shop.Error{Code: shop.CodeTooManyRequests, RetryAfter: wait,
		Detail: "too many attempts to sign in to this account: wait a little, then try again"}
}

// adopt claims the guest first: only who owns it may have its cart. When a crash comes between the two, signing in again
// with the same cookie finishes; see [Sessions.Guest].
func (a *Accounts) adopt(ctx context.Context, guest Session, userID string) error {
	if guest.UserID == "" || guest.SignedIn() || guest.UserID == userID {
		return nil
	}
	err := a.users.ClaimGuest(ctx, guest.UserID, userID)
	if shop.CodeOf(err) == shop.CodeConflict { // another account's, or an account itself; that must not keep this one out
		a.log.InfoContext(ctx, "guest stays where it is", "guest", guest.UserID, "user", userID)
		return nil
	}
	if err != nil {
		return err
	}
	return a.carts.MergeCart(ctx, guest.UserID, userID)
}

// Patch changes what is not nil. A new address or password needs CurrentPassword.
type Patch struct {
	Email           *string
	Name            *string
	Password        *string
	CurrentPassword *string
}

// Update changes the signed-in shopper's account. Errors: CodeUnauthorized for a guest; CodeInvalid with the fields
// email, name, password and current_password; CodeEmailTaken; CodeUnavailable.
func (a *Accounts) Update(ctx context.Context, s Session, patch Patch) (shop.User, error) {
	if !s.SignedIn() {
		return shop.User{}, errNotSignedIn()
	}
	change, err := patch.check()
	if err != nil {
		return shop.User{}, err
	}
	if patch.Email != nil || patch.Password != nil {
		if err := a.confirm(ctx, s, patch); err != nil {
			return shop.User{}, err
		}
	}
	if patch.Password != nil {
		hash, err := a.hasher.hash(ctx, *patch.Password)
		if err != nil {
			return shop.User{}, err
		}
		change.PasswordHash = &hash
	}
	return a.users.UpdateUser(ctx, s.UserID, change)
}

// check validates the new values and returns the change but for the password.
func (patch Patch) check() (shop.UserPatch, error) {
	var change shop.UserPatch
	var p problems
	if patch.Email != nil {
		v := strings.TrimSpace(*patch.Email)
		p.add("email", checkEmail(v))
		change.Email = &v
	}
	if patch.Name != nil {
		v := strings.TrimSpace(*patch.Name)
		p.add("name", checkName(v))
		change.Name = &v
	}
	if patch.Password != nil {
		p.add("password", checkPassword(*patch.Password))
	}
	return change, p.err()
}

// confirm makes sure that who changes how to sign in knows the password, not only holds the cookie.
func (a *Accounts) confirm(ctx context.Context, s Session, patch Patch) error {
	if patch.CurrentPassword == nil || *patch.CurrentPassword == "" {
		return shop.Invalid("current_password", "is required to change the e-mail address or the password")
	}
	if err := a.limit("user\n"+s.UserID, "user\n"+s.UserID); err != nil {
		return err
	}
	hash, err := a.users.PasswordHash(ctx, s.UserID)
	if err != nil {
		return err
	}
	ok, err := a.hasher.verify(ctx, hash, *patch.CurrentPassword)
	if err == nil && !ok {
		return shop.Invalid("current_password", "is wrong")
	}
	return err
}

// Me returns the signed-in shopper's account, or CodeUnauthorized for a guest.
func (a *Accounts) Me(ctx context.Context, s Session) (shop.User, error) {
	if !s.SignedIn() {
		return shop.User{}, errNotSignedIn()
	}
	u, err := a.users.User(ctx, s.UserID)
	var e *shop.Error
	if errors.As(err, &e) && e.Code == shop.CodeNotFound {
		return shop.User{}, errNotSignedIn()
	}
	return u, err
}

func errNotSignedIn() error {
	return shop.Errorf(shop.CodeUnauthorized, "nobody is signed in: sign in with POST /users/login or register with POST /users")
}
