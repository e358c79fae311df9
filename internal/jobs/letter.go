package jobs

import (
	"bytes"
	"embed"
	"fmt"
	html "html/template"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	text "text/template"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// The kinds of letters; each has a plain-text template of its name.
const (
	kindConfirmed = "confirmed"
	kindCancelled = "cancelled"
	kindReminder  = "reminder"
)

//go:embed letters
var letterFiles embed.FS

var (
	plainLetters = text.Must(text.ParseFS(letterFiles, "letters/*.txt"))
	htmlLetter   = html.Must(html.ParseFS(letterFiles, "letters/letter.html"))
)

// letter is a mail before it is written down. Key is the same for every attempt at the same mail; To is nil when no
// address is known.
type letter struct {
	Key     string
	Kind    string
	Subject string
	To      *mail.Address

	Name  string // of the reader, may be empty
	ID    string // of the order, may be empty
	Date  string
	Lines []letterLine
	Total string
}

type letterLine struct {
	Name, SKU        string
	Quantity         int64
	UnitPrice, Total string
}

func letterLines(lines []shop.Line, currency string) []letterLine {
	out := make([]letterLine, len(lines))
	for i, l := range lines {
		out[i] = letterLine{Name: oneLine(l.Name), SKU: oneLine(l.SKU), Quantity: l.Quantity,
			UnitPrice: money(l.UnitPrice, currency), Total: money(l.LineTotal, currency)}
	}
	return out
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// messageID is derived from the key, so that a mailbox that gets the letter twice can show it once.
func (l letter) messageID(from *mail.Address) string {
	domain := from.Address[strings.LastIndexByte(from.Address, '@')+1:]
	return "<" + l.Key + "@" + domain + ">"
}

// bytes writes the letter as an RFC 5322 message with a plain and an HTML form.
func (l letter) bytes(from *mail.Address, now time.Time) ([]byte, error) {
	var out bytes.Buffer
	parts := multipart.NewWriter(&out)
	to := "undisclosed-recipients:;"
	if l.To != nil {
		to = l.To.String()
	}
	for _, h := range [][2]string{
		{"From", from.String()}, {"To", to}, {"Subject", mime.QEncoding.Encode("utf-8", oneLine(l.Subject))},
		{"Date", now.Format(time.RFC1123Z)}, {"Message-ID", l.messageID(from)}, {"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"}, {"Content-Type", `multipart/alternative; boundary="` + parts.Boundary() + `"`},
	} {
		fmt.Fprintf(&out, "%s: %s\r\n", h[0], h[1])
	}
	out.WriteString("\r\n")
	var plain, rich bytes.Buffer
	if err := plainLetters.ExecuteTemplate(&plain, l.Kind+".txt", l); err != nil {
		return nil, err
	}
	if err := htmlLetter.Execute(&rich, l); err != nil {
		return nil, err
	}
	if err := addPart(parts, "text/plain", plain.Bytes()); err != nil {
		return nil, err
	}
	if err := addPart(parts, "text/html", rich.Bytes()); err != nil {
		return nil, err
	}
	if err := parts.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func addPart(w *multipart.Writer, kind string, body []byte) error {
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Type": {kind + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}})
	if err != nil {
		return err
	}
	q := quotedprintable.NewWriter(part)
	if _, err := q.Write(body); err != nil {
		return err
	}
	return q.Close()
}
