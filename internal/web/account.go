package web

import (
	"errors"
	"net/http"

	"github.com/stampede-shop/stampede/internal/shop"
)

const ordersShown = 20

// accountBody is the account page's own part: a signed-in user with orders, or the two forms.
type accountBody struct {
	User   *shop.User
	Orders []orderRow
	Next   string // cursor of the next page of orders
	Notice *notice
	Email  string // what was typed, shown again after a mistake
	Name   string
}

// orderRow is an order in the list.
type orderRow struct {
	shop.Order
	URL, Word string
	Units     int64
}

func (s *site) account(w http.ResponseWriter, r *http.Request) error {
	return s.showAccount(w, r, http.StatusOK, accountBody{})
}

// showAccount fills b with the user and orders of the session. Guests have orders too.
func (s *site) showAccount(w http.ResponseWriter, r *http.Request, status int, b accountBody) error {
	session, found, err := s.Sessions.Load(r)
	if err != nil {
		return err
	}
	if found {
		if session.SignedIn() {
			u, err := s.Users.User(r.Context(), session.UserID)
			if err != nil {
				return err
			}
			b.User = &u
		}
		orders, err := s.Orders.Orders(r.Context(), session.UserID, ordersShown, clip(r.URL.Query().Get("cursor"), maxCursor))
		if err != nil {
			return err
		}
		b.Next = orders.Next
		for _, o := range orders.Orders {
			row := orderRow{Order: o, URL: orderPath(o.ID), Word: statusWord(o.Status)}
			for _, l := range o.Items {
				row.Units += l.Quantity
			}
			b.Orders = append(b.Orders, row)
		}
	}
	title := "Sign in"
	if b.User != nil {
		title = "Your account"
	}
	return s.render(w, r, status, "account", page{Title: title, Body: b})
}

func (s *site) login(w http.ResponseWriter, r *http.Request) error {
	guest := s.Sessions.Guest(r)
	email := clip(r.PostForm.Get("email"), 320)
	u, err := s.Accounts.Login(r.Context(), guest, email, r.PostForm.Get("password"))
	if err != nil {
		return s.accountError(w, r, err, accountBody{Email: email})
	}
	return s.enter(w, r, u)
}

func (s *site) register(w http.ResponseWriter, r *http.Request) error {
	guest, found, err := s.Sessions.Load(r)
	if err != nil {
		return err
	}
	if found && guest.SignedIn() {
		http.Redirect(w, r, "/account", http.StatusSeeOther)
		return nil
	}
	id := guest.UserID
	if !found {
		id = s.NewID()
	}
	email, name := clip(r.PostForm.Get("email"), 320), clip(r.PostForm.Get("name"), 200)
	u, err := s.Accounts.Register(r.Context(), id, s.op(r), email, r.PostForm.Get("password"), name)
	if err != nil {
		return s.accountError(w, r, err, accountBody{Email: email, Name: name})
	}
	return s.enter(w, r, u)
}

func (s *site) enter(w http.ResponseWriter, r *http.Request, u shop.User) error {
	if err := s.Sessions.SignIn(w, r, u.ID); err != nil {
		return err
	}
	http.Redirect(w, r, "/account", http.StatusSeeOther)
	return nil
}

func (s *site) logout(w http.ResponseWriter, r *http.Request) error {
	if err := s.Sessions.SignOut(w, r); err != nil {
		return err
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// accountError shows the forms again with what was wrong; errors that are not the shopper's go up.
func (s *site) accountError(w http.ResponseWriter, r *http.Request, err error, b accountBody) error {
	var e *shop.Error
	if !errors.As(err, &e) || statusOf(e) >= http.StatusInternalServerError {
		return err
	}
	if wait := retryAfter(statusOf(e), e); wait > 0 {
		w.Header().Set("Retry-After", seconds(wait))
	}
	b.Notice = noticeOf(e, "")
	if len(e.Fields) > 0 {
		b.Notice.Text = "Please look at this again:"
		for _, f := range e.Fields {
			b.Notice.Lines = append(b.Notice.Lines, sentence(f.Field+" "+f.Message))
		}
	}
	return s.showAccount(w, r, statusOf(e), b)
}
