package catalog

import (
	"errors"
	"strconv"
	"strings"
)

var (
	errNotNumber = errors.New("must be a plain decimal number, such as 12.99")
	errTooFine   = errors.New("is finer than allowed")
	errTooLarge  = errors.New("is too large")
)

// parseDecimal reads a decimal number exactly, without floats, and returns it in units of 10^-places: "12.99" with two
// places is 1299. Zeros beyond the places are tolerated, other digits there are errTooFine.
func parseDecimal(s string, places int) (int64, error) {
	s = strings.TrimSpace(s)
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil || e < -30 || e > 30 {
			return 0, errNotNumber
		}
		mantissa, exponent = s[:i], e
	}
	whole, fraction, point := strings.Cut(mantissa, ".")
	if whole == "" || point && fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" || len(mantissa) > 60 {
		return 0, errNotNumber
	}
	digits := whole + fraction
	shift := places + exponent - len(fraction)
	switch {
	case shift > 0:
		digits += strings.Repeat("0", shift)
	case shift < 0:
		cut := max(0, len(digits)+shift)
		if strings.Trim(digits[cut:], "0") != "" {
			return 0, errTooFine
		}
		digits = "0" + digits[:cut]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, errTooLarge
	}
	if negative {
		n = -n
	}
	return n, nil
}
