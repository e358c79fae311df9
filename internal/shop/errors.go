package shop

import (
	"errors"
	"fmt"
	"time"
)

// Code names a kind of failure; it is stable and becomes the last path segment of an RFC 9457 problem type.
type Code string

// The codes a shopper or an administrator may see.
const (
	CodeInvalid             Code = "invalid"                 // 422: the input is wrong; Fields says where
	CodeMalformed           Code = "malformed"               // 400: the request cannot be read at all
	CodeNotFound            Code = "not-found"               // 404
	CodeConflict            Code = "conflict"                // 409: somebody else was faster, or the state forbids it
	CodeEmailTaken          Code = "email-taken"             // 409
	CodeSKUTaken            Code = "sku-taken"               // 409
	CodeOutOfStock          Code = "out-of-stock"            // 409; Lines names them
	CodePriceChanged        Code = "price-changed"           // 409; Lines names them, the cart now shows the new prices
	CodeNotCancellable      Code = "not-cancellable"         // 409
	CodePaymentDeclined     Code = "payment-declined"        // 402
	CodeEmptyCart           Code = "empty-cart"              // 422; OrderID when this cart was just bought
	CodeIdempotencyMismatch Code = "idempotency-mismatch"    // 422: the key was used with another body
	CodePreconditionFailed  Code = "precondition-failed"     // 412
	CodeUnauthorized        Code = "unauthorized"            // 401
	CodeForbidden           Code = "forbidden"               // 403
	CodeTooManyRequests     Code = "too-many-requests"       // 429: wait for RetryAfter
	CodeUnavailable         Code = "temporarily-unavailable" // 503: try again
	CodeWaitingRoom         Code = "waiting-room"            // 503: it is not this shopper's turn yet
	CodePurchaseLimit       Code = "purchase-limit"          // 409: more than one shopper may buy; Lines names them
	CodeInternal            Code = "internal"                // 500
)

// FieldError says what is wrong with one input field.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// LineError names a cart line that stands in the way of a checkout.
type LineError struct {
	ProductID int64  `json:"product_id"`
	Name      string `json:"name,omitempty"`
	Requested int64  `json:"requested"`
	Available int64  `json:"available"`           // units left at the time of asking (out-of-stock)
	OldPrice  int64  `json:"old_price,omitempty"` // minor units (price-changed)
	NewPrice  int64  `json:"new_price,omitempty"` // minor units (price-changed)
}

// Error is the one error type whose Code and Detail are fit for a user; Err, the cause, is for logs only.
type Error struct {
	Code    Code
	Detail  string
	Fields  []FieldError
	Lines   []LineError
	OrderID string
	// RetryAfter is how long to wait before asking again; 0 leaves it open.
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Detail, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Detail)
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error with a detail for the user. A %w in format becomes the cause as well.
func Errorf(code Code, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	return &Error{Code: code, Detail: wrapped.Error(), Err: errors.Unwrap(wrapped)}
}

// Invalid makes a CodeInvalid error about one field.
func Invalid(field, format string, args ...any) *Error {
	msg := fmt.Sprintf(format, args...)
	return &Error{Code: CodeInvalid, Detail: field + ": " + msg, Fields: []FieldError{{Field: field, Message: msg}}}
}

// NotFound makes a CodeNotFound error: what was looked for, and by which id.
func NotFound(what string, id any) *Error {
	return &Error{Code: CodeNotFound, Detail: fmt.Sprintf("there is no %s %v", what, id)}
}

// CodeOf is the code of the first Error in err's chain, "" for nil, CodeInternal for any other error.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
