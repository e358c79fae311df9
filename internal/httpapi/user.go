package httpapi

import (
	"net/http"

	"github.com/stampede-shop/stampede/internal/account"
	"github.com/stampede-shop/stampede/internal/shop"
)

func (a *api) userRoutes() []route {
	user := []answer{{status: 200, doc: "The account", body: shop.User{}}}
	unauthorized := []shop.Code{shop.CodeUnauthorized}
	return []route{
		{method: "POST", path: "/users", id: "register", summary: "Register; the guest's cart and orders stay theirs", access: shopper,
			text:   "Signs in. The guest's id becomes the account's.",
			params: []param{idempotencyKey}, body: bodyOf[registerInput](),
			answers: []answer{{status: 201, doc: "The account", body: shop.User{}, headers: []string{"Location"}}},
			codes:   []shop.Code{shop.CodeEmailTaken, shop.CodeConflict}, handle: a.register},
		{method: "POST", path: "/users/login", id: "login", summary: "Sign in; the guest's cart and orders follow", access: shopper,
			body: bodyOf[loginInput](), answers: user, codes: unauthorized, handle: a.login},
		{method: "POST", path: "/users/logout", id: "logout", summary: "Sign out", access: shopper,
			answers: []answer{{status: 204, doc: "Signed out"}}, handle: a.logout},
		{method: "GET", path: "/users/me", id: "getMe", summary: "Who is signed in", access: shopper, answers: user,
			codes: unauthorized, handle: a.me},
		{method: "PATCH", path: "/users/me", id: "updateMe", summary: "Change name, address or password", access: shopper,
			body: bodyOf[profileInput](), answers: user, codes: append(unauthorized, shop.CodeEmailTaken, shop.CodeConflict), handle: a.updateMe},
	}
}

func tidyUser(u shop.User) shop.User {
	u.CreatedAt = u.CreatedAt.UTC()
	return u
}

func (a *api) register(c *call) error {
	in, err := decode[registerInput](c)
	if err != nil {
		return err
	}
	op, err := c.opOn(in.Email) // not on the password: an op id is stored, and no hash of a password but argon2id's may be
	if err != nil {
		return err
	}
	id := c.session.UserID
	if c.session.SignedIn() { // another account for the same person: their present one keeps what it has
		id = a.NewID()
	}
	u, err := a.Accounts.Register(c.ctx(), id, op, in.Email, in.Password, in.Name)
	if err != nil {
		return err
	}
	return a.signedIn(c, http.StatusCreated, u)
}

// signedIn starts the session; the cookie of the guest may have been set by this very call and is replaced.
func (a *api) signedIn(c *call, status int, u shop.User) error {
	c.w.Header().Del("Set-Cookie")
	if err := a.Sessions.SignIn(c.w, c.r, u.ID); err != nil {
		return err
	}
	if status == http.StatusCreated {
		c.w.Header().Set("Location", "/users/me")
	}
	return c.json(status, tidyUser(u))
}

func (a *api) login(c *call) error {
	in, err := decode[loginInput](c)
	if err != nil {
		return err
	}
	u, err := a.Accounts.Login(c.ctx(), a.Sessions.Guest(c.r), in.Email, in.Password)
	if err != nil {
		return err
	}
	return a.signedIn(c, http.StatusOK, u)
}

func (a *api) logout(c *call) error {
	c.w.Header().Del("Set-Cookie")
	if err := a.Sessions.SignOut(c.w, c.r); err != nil {
		return err
	}
	c.w.Header()["Cache-Control"] = cachePrivate
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *api) me(c *call) error {
	u, err := a.Accounts.Me(c.ctx(), c.session)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, tidyUser(u))
}

func (a *api) updateMe(c *call) error {
	in, err := decode[profileInput](c)
	if err != nil {
		return err
	}
	u, err := a.Accounts.Update(c.ctx(), c.session, account.Patch(in))
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, tidyUser(u))
}
