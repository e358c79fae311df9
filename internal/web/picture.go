package web

import (
	"encoding/xml"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"

	"github.com/stampede-shop/stampede/internal/shop"
)

// picture draws the stand-in for a product without a picture: its initials on the colours of its category.
func (s *site) picture(w http.ResponseWriter, r *http.Request) error {
	number, ok := strings.CutSuffix(r.PathValue("file"), ".svg")
	id, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || id <= 0 {
		return shop.NotFound("picture", r.PathValue("file"))
	}
	p, err := s.Products.Product(r.Context(), id)
	if err != nil {
		return err
	}
	edgeMay(w.Header(), keepPage, productTag(id))
	if r.URL.Query().Get("v") == strconv.FormatInt(p.Version, 10) {
		everybodyMay(w.Header(), keepAsset, productTag(id))
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	send(w, r, http.StatusOK, []byte(draw(p)))
	return nil
}

const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" width="400" height="400" role="img">` +
	`<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="hsl(%[1]d,55%%,90%%)"/>` +
	`<stop offset="1" stop-color="hsl(%[2]d,50%%,80%%)"/></linearGradient></defs>` +
	`<rect width="400" height="400" fill="url(#g)"/>` +
	`<circle cx="%[3]d" cy="%[4]d" r="150" fill="hsl(%[2]d,55%%,86%%)"/><circle cx="%[5]d" cy="%[6]d" r="80" fill="hsl(%[1]d,60%%,94%%)" opacity=".7"/>` +
	`<text x="200" y="212" text-anchor="middle" dominant-baseline="middle" font-family="Georgia,serif" font-size="132" fill="hsl(%[1]d,45%%,32%%)">%[7]s</text>` +
	`<text x="200" y="366" text-anchor="middle" font-family="system-ui,sans-serif" font-size="26" fill="hsl(%[1]d,35%%,36%%)">%[8]s</text></svg>`

// draw makes the picture; the same product always gets the same one.
func draw(p shop.Product) string {
	top, label := "", ""
	if path := crumbs(p.Category); len(path) > 0 {
		top, label = path[0].Name, clip(path[len(path)-1].Name, 30)
	}
	hue := int(hash(top) % 360)
	n := hash(p.SKU + p.Name)
	at := func(shift, from, span uint) int { return int(from) + int(n>>shift)%int(span) }
	letters := initials(p.Name)
	if letters == "" {
		letters = "•"
	}
	return fmt.Sprintf(svg, hue, (hue+40)%360, at(0, 40, 320), at(4, 20, 200), at(8, 40, 320), at(12, 240, 140),
		escaped(letters), escaped(label))
}

func hash(s string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s))
	return h.Sum32()
}

// escaped makes text safe inside XML; characters that XML forbids become U+FFFD.
func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder does not fail
	return b.String()
}
