package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/queue"
)

// MailOptions say how mail leaves: through SMTPAddr if set, else as .eml files in Dir.
type MailOptions struct {
	Dir  string // is made when it does not exist
	From string // an address, with or without a name; default "Stampede <shop@localhost>"
	// SMTPAddr is host:port. Port 465 is spoken to in TLS from the start; elsewhere TLS is begun when offered, and a
	// password is never sent without.
	SMTPAddr     string
	SMTPUsername string
	SMTPPassword string
	Timeout      time.Duration // of one delivery; default 30 s
}

// post takes letters to where they go. Delivering the same key again must be harmless.
type post interface {
	deliver(ctx context.Context, l letter) error
}

// mailer writes the letters that events call for.
type mailer struct {
	d    Deps
	post post
	log  *slog.Logger
}

// newMailer returns nil when o names no way for mail to leave.
func newMailer(d Deps) (*mailer, error) {
	o := d.Mail
	if o.From == "" {
		o.From = "Stampede <shop@localhost>"
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	from, err := mail.ParseAddress(o.From)
	if err != nil {
		return nil, fmt.Errorf("jobs: mail from %q is not an address: %w", o.From, err)
	}
	m := &mailer{d: d, log: d.Log}
	switch {
	case o.SMTPAddr != "":
		m.post, err = newSMTPPost(o, from, d)
	case o.Dir != "":
		m.post, err = newFilePost(o.Dir, from, d.Now)
	default:
		return nil, nil
	}
	return m, err
}

// handle sends the letter that a message calls for.
func (m *mailer) handle(ctx context.Context, msg queue.Message) error {
	var l letter
	var err error
	if msg.Topic == shop.TopicCartAbandoned {
		l, err = m.reminder(ctx, msg)
	} else {
		l, err = m.orderLetter(ctx, msg)
	}
	if errors.Is(err, errNoLetter) {
		return nil
	}
	if err != nil {
		return err
	}
	return m.post.deliver(ctx, l)
}

// errNoLetter says that there is nothing to send after all.
var errNoLetter = errors.New("jobs: no letter")

// orderLetter confirms an order or its cancellation.
func (m *mailer) orderLetter(ctx context.Context, msg queue.Message) (letter, error) {
	e, err := decode[shop.OrderEvent](msg)
	if err != nil {
		return letter{}, err
	}
	o, err := m.d.Orders.Order(ctx, e.UserID, e.OrderID)
	if err != nil {
		return letter{}, settled(err)
	}
	l := letter{Kind: kindConfirmed, Subject: "Your order is confirmed"}
	if msg.Topic == shop.TopicOrderCancelled {
		l.Kind, l.Subject = kindCancelled, "Your order is cancelled"
	}
	l.Key, l.ID = l.Kind+"."+o.ID, o.ID
	l.Date = o.CreatedAt.UTC().Format("2 January 2006")
	l.Lines, l.Total = letterLines(o.Items, o.Currency), money(o.Total, o.Currency)
	l.To, err = m.account(ctx, e.UserID)
	if err != nil {
		return letter{}, err
	}
	if l.To == nil {
		l.To = shippingAddress(o.ShippingAddress)
	}
	if l.To != nil {
		l.Name = oneLine(l.To.Name)
	}
	return l, nil
}

// reminder tells the owner of an account what is in the cart that was left alone. A cart that changed since, and a guest,
// get none.
func (m *mailer) reminder(ctx context.Context, msg queue.Message) (letter, error) {
	e, err := decode[shop.CartAbandoned](msg)
	if err != nil {
		return letter{}, err
	}
	cart, err := m.d.Carts.Cart(ctx, e.UserID)
	if err != nil {
		return letter{}, settled(err)
	}
	if cart.Version != e.CartVersion || len(cart.Items) == 0 {
		return letter{}, errNoLetter
	}
	to, err := m.account(ctx, e.UserID)
	if err != nil {
		return letter{}, err
	}
	if to == nil {
		return letter{}, errNoLetter
	}
	return letter{Kind: kindReminder, Key: fmt.Sprintf("%s.%s.%d", kindReminder, e.UserID, e.CartVersion), To: to,
		Subject: "You left something in your cart", Name: oneLine(to.Name),
		Lines: letterLines(cart.Items, cart.Currency), Total: money(cart.Subtotal, cart.Currency)}, nil
}

// account is the address of an account, nil for a guest.
func (m *mailer) account(ctx context.Context, userID string) (*mail.Address, error) {
	u, err := m.d.Users.User(ctx, userID)
	if shop.CodeOf(err) == shop.CodeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return address(u.Email, u.Name), nil
}

// shippingAddress is the e-mail address that a guest gave with the order, if any.
func shippingAddress(raw json.RawMessage) *mail.Address {
	var a struct {
		Email string `json:"email"`
		Name  string `json:"name"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &a) != nil {
		return nil
	}
	return address(a.Email, a.Name)
}

// address is nil unless email is one plain address.
func address(email, name string) *mail.Address {
	a, err := mail.ParseAddress(strings.TrimSpace(email))
	if err != nil || strings.ContainsAny(a.Address, "\r\n<>") {
		return nil
	}
	return &mail.Address{Name: oneLine(name), Address: a.Address}
}
