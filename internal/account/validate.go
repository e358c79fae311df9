package account

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Bounds of an account's fields, in characters (the address: in bytes).
const (
	MaxEmailLen    = 254
	MinPasswordLen = 8
	MaxPasswordLen = 200
	MaxNameLen     = 200
)

// problems collects what is wrong with several fields.
type problems []shop.FieldError

func (p *problems) add(field, message string) {
	if message != "" {
		*p = append(*p, shop.FieldError{Field: field, Message: message})
	}
}

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return &shop.Error{Code: shop.CodeInvalid, Fields: p, Detail: p[0].Field + ": " + p[0].Message}
}

// checkEmail returns what is wrong with an address, "" if nothing.
func checkEmail(email string) string {
	if email == "" {
		return "is required"
	}
	if len(email) > MaxEmailLen {
		return "must have at most 254 characters"
	}
	const wrong = "must be an e-mail address such as ann@example.org"
	if !utf8.ValidString(email) || strings.ContainsFunc(email, notInAddress) {
		return wrong
	}
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email || a.Name != "" {
		return wrong
	}
	return ""
}

// notInAddress is true for what net/mail takes (quoted, with spaces, with a display name) and mail systems choke on.
func notInAddress(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`"<>()`, r)
}

func checkPassword(password string) string {
	switch n := utf8.RuneCountInString(password); {
	case password == "":
		return "is required"
	case n < MinPasswordLen:
		return "must have at least 8 characters"
	case n > MaxPasswordLen:
		return "must have at most 200 characters"
	}
	return ""
}

func checkName(name string) string {
	if utf8.RuneCountInString(name) > MaxNameLen {
		return "must have at most 200 characters"
	}
	if !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "must not contain control characters"
	}
	return ""
}
