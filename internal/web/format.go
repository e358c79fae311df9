package web

import (
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/stampede-shop/stampede/internal/shop"
)

// currencies that are not written as "CODE 0.00": their sign and their number of decimals.
var currencies = map[string]struct {
	sign     string
	decimals int
}{
	"USD": {"$", 2}, "EUR": {"€", 2}, "GBP": {"£", 2}, "JPY": {"¥", 0}, "CNY": {"CN¥", 2}, "INR": {"₹", 2},
	"KRW": {"₩", 0}, "CAD": {"CA$", 2}, "AUD": {"A$", 2}, "KWD": {"KWD ", 3}, "BHD": {"BHD ", 3}, "TND": {"TND ", 3},
}

// money writes an amount of minor units for people: 129900 USD is "$1,299.00".
func money(minor int64, currency string) string {
	c, ok := currencies[currency]
	if !ok {
		c.sign, c.decimals = strings.TrimSpace(currency+" ")+" ", 2
		if currency == "" {
			c.sign = ""
		}
	}
	digits := strconv.FormatInt(minor, 10)
	digits, negative := strings.CutPrefix(digits, "-")
	if short := c.decimals + 1 - len(digits); short > 0 {
		digits = strings.Repeat("0", short) + digits
	}
	whole, fraction := digits[:len(digits)-c.decimals], digits[len(digits)-c.decimals:]
	out := c.sign + grouped(whole)
	if fraction != "" {
		out += "." + fraction
	}
	if negative {
		return "−" + out
	}
	return out
}

func grouped(digits string) string {
	if len(digits) <= 3 {
		return digits
	}
	return grouped(digits[:len(digits)-3]) + "," + digits[len(digits)-3:]
}

// count writes a number with its noun: 1 item, 1,200 items.
func count(n int64, noun string) string {
	s := grouped(strconv.FormatInt(n, 10)) + " " + noun
	if n != 1 {
		s += "s"
	}
	return s
}

func when(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

func productURL(p shop.Product) string { return productPath(p.ID, p.Slug) }

func productPath(id int64, slug string) string {
	path := "/p/" + strconv.FormatInt(id, 10)
	if slug != "" {
		path += "-" + url.PathEscape(slug)
	}
	return path
}

func categoryURL(category string) string {
	parts := strings.Split(category, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return "/c/" + strings.Join(parts, "/")
}

// crumb is one step of a category path.
type crumb struct {
	Name string
	Path string // the category from the root to here
}

func crumbs(category string) []crumb {
	var out []crumb
	path := ""
	for name := range strings.SplitSeq(category, "/") {
		if name == "" {
			continue
		}
		if path != "" {
			path += "/"
		}
		path += name
		out = append(out, crumb{Name: name, Path: path})
	}
	return out
}

// pictureURL is the product's own picture when a browser may load it from our pages, else the placeholder.
func pictureURL(p shop.Product) string {
	u, err := url.Parse(p.ImageURL)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return placeholderURL(p)
	}
	return u.String()
}

// placeholderURL carries the version, so that a renamed product gets a new picture while the old is kept for long.
func placeholderURL(p shop.Product) string {
	return "/img/" + strconv.FormatInt(p.ID, 10) + ".svg?v=" + strconv.FormatInt(p.Version, 10)
}

// initials are up to two letters or digits that stand for a name.
func initials(name string) string {
	var out []rune
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		out = append(out, unicode.ToUpper([]rune(word)[0]))
		if len(out) == 2 {
			break
		}
	}
	return string(out)
}

// clip shortens s to at most n runes.
func clip(s string, n int) string {
	s = strings.TrimSpace(strings.ToValidUTF8(s, ""))
	if r := []rune(s); len(r) > n {
		return strings.TrimSpace(string(r[:n]))
	}
	return s
}
