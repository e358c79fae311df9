package jobs

import (
	"fmt"
	"strings"
)

// minorDigits are the currencies whose minor unit is not a hundredth (ISO 4217).
var minorDigits = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0,
	"VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0, "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}

// money writes an amount in minor units for people: 123456 USD is "1,234.56 USD".
func money(minor int64, currency string) string {
	digits, odd := minorDigits[currency]
	if !odd {
		digits = 2
	}
	sign := ""
	units := uint64(minor)
	if minor < 0 {
		sign, units = "-", -units
	}
	s := fmt.Sprintf("%0*d", digits+1, units)
	whole, fraction := s[:len(s)-digits], s[len(s)-digits:]
	var b strings.Builder
	b.WriteString(sign)
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	if fraction != "" {
		b.WriteString("." + fraction)
	}
	if currency != "" {
		b.WriteString(" " + currency)
	}
	return b.String()
}
