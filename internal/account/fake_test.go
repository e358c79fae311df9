package account

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

var errDown = errors.New("the shard is down")

// fakeUsers is a shop.UserStore in memory that also notes the order of what is done to carts.
type fakeUsers struct {
	shop.CartStore // only MergeCart is called

	mu       sync.Mutex
	users    map[string]shop.User
	hashes   map[string]string
	ops      map[string]string
	sessions map[string]bool
	claimed  map[string]string
	log      []string
	fail     error
}

func newFakeUsers() *fakeUsers {
	return &fakeUsers{users: map[string]shop.User{}, hashes: map[string]string{}, ops: map[string]string{},
		sessions: map[string]bool{}, claimed: map[string]string{}}
}

func (f *fakeUsers) lock(what string) error {
	f.mu.Lock()
	f.log = append(f.log, what)
	return f.fail
}

func (f *fakeUsers) Register(_ context.Context, u shop.NewUser) (shop.User, error) {
	defer f.mu.Unlock()
	if err := f.lock("register"); err != nil {
		return shop.User{}, err
	}
	if id, ok := f.ops[u.OpID]; ok {
		return f.users[id], nil
	}
	for _, x := range f.users {
		if strings.EqualFold(x.Email, u.Email) {
			return shop.User{}, shop.Errorf(shop.CodeEmailTaken, "taken")
		}
	}
	f.ops[u.OpID] = u.ID
	f.hashes[u.ID] = u.PasswordHash
	f.users[u.ID] = shop.User{ID: u.ID, Email: u.Email, Name: u.Name}
	return f.users[u.ID], nil
}

func (f *fakeUsers) Credentials(_ context.Context, email string) (shop.User, string, error) {
	defer f.mu.Unlock()
	if err := f.lock("credentials"); err != nil {
		return shop.User{}, "", err
	}
	for id, u := range f.users {
		if strings.EqualFold(u.Email, email) {
			return u, f.hashes[id], nil
		}
	}
	return shop.User{}, "", shop.NotFound("account", email)
}

func (f *fakeUsers) User(_ context.Context, id string) (shop.User, error) {
	defer f.mu.Unlock()
	if err := f.lock("user"); err != nil {
		return shop.User{}, err
	}
	u, ok := f.users[id]
	if !ok {
		return u, shop.NotFound("account", id)
	}
	return u, nil
}

func (f *fakeUsers) PasswordHash(_ context.Context, id string) (string, error) {
	defer f.mu.Unlock()
	return f.hashes[id], f.lock("hash")
}

func (f *fakeUsers) UpdateUser(_ context.Context, id string, p shop.UserPatch) (shop.User, error) {
	defer f.mu.Unlock()
	err := f.lock("update")
	u := f.users[id]
	if p.Name != nil {
		u.Name = *p.Name
	}
	if p.Email != nil {
		u.Email = *p.Email
	}
	if p.PasswordHash != nil {
		f.hashes[id] = *p.PasswordHash
	}
	f.users[id] = u
	return u, err
}

func (f *fakeUsers) CreateSession(_ context.Context, user, id string, _ time.Time) error {
	defer f.mu.Unlock()
	if err := f.lock("create"); err != nil {
		return err
	}
	f.sessions[user+"/"+id] = true
	return nil
}

func (f *fakeUsers) DeleteSession(_ context.Context, user, id string) error {
	defer f.mu.Unlock()
	if err := f.lock("delete"); err != nil {
		return err
	}
	delete(f.sessions, user+"/"+id)
	return nil
}

func (f *fakeUsers) SessionValid(_ context.Context, user, id string) (bool, error) {
	defer f.mu.Unlock()
	if err := f.lock("valid"); err != nil {
		return false, err
	}
	if id != "" {
		return f.sessions[user+"/"+id], nil
	}
	_, registered := f.users[user]
	_, claimed := f.claimed[user]
	return !registered && !claimed, nil
}

func (f *fakeUsers) ClaimGuest(_ context.Context, guest, user string) error {
	defer f.mu.Unlock()
	if err := f.lock("claim"); err != nil {
		return err
	}
	if owner, ok := f.claimed[guest]; ok && owner != user {
		return shop.Errorf(shop.CodeConflict, "claimed")
	}
	f.claimed[guest] = user
	return nil
}

func (f *fakeUsers) MergeCart(context.Context, string, string) error {
	defer f.mu.Unlock()
	return f.lock("merge")
}
