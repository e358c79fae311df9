package jobs

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/queue"
)

func order(id string) shop.Order {
	return shop.Order{ID: id, Status: shop.OrderConfirmed, UserID: "u1", Currency: "USD", Subtotal: 123456, Total: 123456,
		CreatedAt: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC),
		Items: []shop.Line{{ProductID: 1, SKU: "SKU-1", Name: "Grüne <Tasse>", Quantity: 2, UnitPrice: 60000, LineTotal: 120000},
			{ProductID: 2, SKU: "SKU-2", Name: "Line\r\nBcc: evil@example.com", Quantity: 1, UnitPrice: 3456, LineTotal: 3456}}}
}

// parts parses a message and returns its headers and its decoded parts by type.
func parts(t *testing.T, raw string) (mail.Header, map[string]string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(raw))
	must(t, err)
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	must(t, err)
	same(t, "content type", kind, "multipart/alternative")
	out := map[string]string{}
	r := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			return m.Header, out
		}
		must(t, err)
		body, err := io.ReadAll(p)
		must(t, err)
		out[p.Header.Get("Content-Type")] = strings.ReplaceAll(string(body), "\r\n", "\n")
	}
}

func event(topic string, payload any) queue.Message {
	data, _ := json.Marshal(payload)
	return queue.Message{ID: "x", Topic: topic, Data: data}
}

func fileMailer(t *testing.T, w *world) (*mailer, string) {
	t.Helper()
	d := w.deps(t, nil)
	m, err := newMailer(d)
	must(t, err)
	return m, d.Mail.Dir
}

func TestConfirmationMail(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.orders["o1"] = order("o1")
	w.users["u1"] = shop.User{ID: "u1", Email: "zoe@example.com", Name: "Zoë Ø"}
	m, dir := fileMailer(t, w)
	must(t, m.handle(t.Context(), event(shop.TopicOrderConfirmed, shop.OrderEvent{OrderID: "o1", UserID: "u1"})))
	raw, err := os.ReadFile(filepath.Join(dir, "o1.eml"))
	must(t, err)
	for line := range strings.Lines(string(raw)) {
		if len(line) > 998 || strings.ContainsFunc(line, func(r rune) bool { return r > 126 }) || !strings.HasSuffix(line, "\r\n") {
			t.Errorf("line %q is not fit for mail", line)
		}
	}
	h, bodies := parts(t, string(raw))
	from, err := h.AddressList("From")
	must(t, err)
	to, err := h.AddressList("To")
	must(t, err)
	date, err := h.Date()
	must(t, err)
	subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
	must(t, err)
	same(t, "from", from, []*mail.Address{{Name: "Stampede", Address: "shop@example.com"}})
	same(t, "to", to, []*mail.Address{{Name: "Zoë Ø", Address: "zoe@example.com"}})
	same(t, "subject", subject, "Your order is confirmed")
	same(t, "message id", h.Get("Message-ID"), "<confirmed.o1@example.com>")
	same(t, "date", date.Equal(m.d.Now()), true)
	same(t, "bcc", h.Get("Bcc"), "")
	same(t, "plain", bodies["text/plain; charset=utf-8"], `Hello Zoë Ø,

thank you for your order. It is confirmed.

Order o1 of 22 November 2026

2 x Grüne <Tasse> (SKU-1)
    600.00 USD each, 1,200.00 USD
1 x Line Bcc: evil@example.com (SKU-2)
    34.56 USD each, 34.56 USD

Total: 1,234.56 USD
`)
	page := bodies["text/html; charset=utf-8"]
	for _, want := range []string{"Grüne &lt;Tasse&gt;", "<b>1,234.56 USD</b>", "<b>o1</b>", "Hello Zoë Ø,"} {
		if !strings.Contains(page, want) {
			t.Errorf("the HTML lacks %q:\n%s", want, page)
		}
	}
}

func TestRepeatedMailLeavesTheFileAlone(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.orders["o1"] = order("o1")
	m, dir := fileMailer(t, w)
	msg := event(shop.TopicOrderConfirmed, shop.OrderEvent{OrderID: "o1", UserID: "guest"})
	must(t, m.handle(t.Context(), msg))
	before, err := os.ReadFile(filepath.Join(dir, "o1.eml"))
	must(t, err)
	must(t, m.handle(t.Context(), msg))
	after, err := os.ReadFile(filepath.Join(dir, "o1.eml"))
	must(t, err)
	same(t, "the file", string(after), string(before))
	files, err := os.ReadDir(dir)
	must(t, err)
	same(t, "files", len(files), 1)
	h, _ := parts(t, string(after))
	same(t, "a guest's To", h.Get("To"), "undisclosed-recipients:;")
}

func TestOrderIDThatIsNoFileNameIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.orders["../o1"] = order("../o1")
	m, _ := fileMailer(t, w)
	err := m.handle(t.Context(), event(shop.TopicOrderConfirmed, shop.OrderEvent{OrderID: "../o1"}))
	if !queue.IsPermanent(err) {
		t.Fatalf("%v, want a permanent error", err)
	}
}

func TestGuestsAddressComesFromTheOrder(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"email":"g@example.com","name":"G"}`: `"G" <g@example.com>`, `{"email":"a@x.org, b@x.org"}`: "", `{"email":5}`: "", ``: "", `null`: "",
		`{"email":"a@x.org\r\nBcc: b@x.org"}`: "",
	} {
		got := ""
		if a := shippingAddress(json.RawMessage(raw)); a != nil {
			got = a.String()
		}
		same(t, raw, got, want)
	}
}

func TestReminderOnlyForAnAccountAndTheCartAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld()
	cart := shop.Cart{ID: "u1", Version: 3, Currency: "JPY", Items: order("").Items}
	cart.Sum()
	w.carts["u1"], w.carts["guest"] = cart, cart
	w.users["u1"] = shop.User{ID: "u1", Email: "zoe@example.com"}
	m, dir := fileMailer(t, w)
	for _, e := range []shop.CartAbandoned{{UserID: "guest", CartVersion: 3}, {UserID: "u1", CartVersion: 2}, {UserID: "u1", CartVersion: 3}} {
		must(t, m.handle(t.Context(), event(shop.TopicCartAbandoned, e)))
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	same(t, "files", files, []string{filepath.Join(dir, "reminder-u1-3.eml")})
	raw, err := os.ReadFile(files[0])
	must(t, err)
	_, bodies := parts(t, string(raw))
	if !strings.Contains(bodies["text/plain; charset=utf-8"], "Together: 123,456 JPY.") {
		t.Errorf("the sum is missing:\n%s", bodies["text/plain; charset=utf-8"])
	}
}

func TestMoney(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		minor    int64
		currency string
		want     string
	}{
		{0, "USD", "0.00 USD"}, {5, "EUR", "0.05 EUR"}, {123456789, "USD", "1,234,567.89 USD"}, {-100050, "USD", "-1,000.50 USD"},
		{1000, "JPY", "1,000 JPY"}, {1234567, "KWD", "1,234.567 KWD"}, {99, "", "0.99"}, {-1 << 63, "USD", "-92,233,720,368,547,758.08 USD"},
	} {
		same(t, c.want, money(c.minor, c.currency), c.want)
	}
}

// memorySent is a log of sent mail in memory.
type memorySent map[string]bool

func (s memorySent) Sent(_ context.Context, key string) (bool, error) { return s[key], nil }
func (s memorySent) MarkSent(_ context.Context, key string) error     { s[key] = true; return nil }
