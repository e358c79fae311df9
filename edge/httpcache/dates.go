package httpcache

import (
	"strings"
	"time"
)

const months = "janfebmaraprmayjunjulaugsepoctnovdec"

// parseDate reads an HTTP-date (RFC 9110, section 5.6.7) in any of its three forms. Unlike time.Parse it takes nothing
// else: no other zone than GMT, no missing or extra spaces, no single-digit hours. Case does not matter.
func parseDate(s string, now time.Time) (time.Time, bool) {
	switch {
	case len(s) == 29 && s[3] == ',': // Sun, 06 Nov 1994 08:49:37 GMT
		if s[4] != ' ' || s[7] != ' ' || s[11] != ' ' || s[16] != ' ' || !strings.EqualFold(s[25:], " GMT") {
			return time.Time{}, false
		}
		return date(number(s[12:16]), s[8:11], number(s[5:7]), s[17:25])
	case len(s) == 24 && s[3] == ' ': // Sun Nov  6 08:49:37 1994
		if s[7] != ' ' || s[10] != ' ' || s[19] != ' ' {
			return time.Time{}, false
		}
		day := s[8:10]
		if day[0] == ' ' {
			day = "0" + day[1:]
		}
		return date(number(s[20:24]), s[4:7], number(day), s[11:19])
	}
	weekday, rest, ok := strings.Cut(s, ",") // Sunday, 06-Nov-94 08:49:37 GMT
	if !ok || len(weekday) < 6 || len(rest) != 23 || rest[0] != ' ' || rest[3] != '-' || rest[7] != '-' || rest[10] != ' ' ||
		!strings.EqualFold(rest[19:], " GMT") {
		return time.Time{}, false
	}
	year := number(rest[8:10])
	if year < 0 {
		return time.Time{}, false
	}
	year += now.Year() / 100 * 100
	if year > now.Year()+50 { // more than 50 years ahead means the past
		year -= 100
	}
	return date(year, rest[4:7], number(rest[1:3]), rest[11:19])
}

func date(year int, month string, day int, clock string) (time.Time, bool) {
	m := strings.Index(months, strings.ToLower(month))
	hour, minute, second := number(clock[0:2]), number(clock[3:5]), number(clock[6:8])
	if m < 0 || m%3 != 0 || clock[2] != ':' || clock[5] != ':' || year < 0 || day < 1 || day > 31 ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(m/3+1), day, hour, minute, second, 0, time.UTC)
	return t, t.Day() == day || second == 60
}

// number reads a decimal number of digits only; -1 when it is none.
func number(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = n*10 + int(s[i]-'0')
	}
	return n
}
