package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

//go:embed html/*.html
var htmlFiles embed.FS

type tmpl = template.Template

// page is what every template gets: Body is the page's own part.
type page struct {
	Title string
	Query string // what the search box shows
	Body  any
}

var pageNames = []string{"home", "list", "product", "sale", "bag", "account", "order", "error", "later", "waiting"}

func parsePages() (map[string]*tmpl, error) {
	base, err := template.New("base").Funcs(template.FuncMap{
		"asset":       assetURL,
		"styles":      func() template.CSS { return styles().css },
		"crumbs":      crumbs,
		"categoryURL": categoryURL,
		"productURL":  productURL,
		"campaignURL": campaignURL,
		"instant":     func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") },
		"pictureURL":  pictureURL,
		"placeholder": placeholderURL,
		"money":       money,
		"count":       count,
		"when":        when,
		"rating":      func(f float64) string { return fmt.Sprintf("%.1f", f) },
		"soldOut":     func(p shop.Product) bool { return p.Availability == shop.SoldOut },
		"lowStock":    func(p shop.Product) bool { return p.Availability == shop.LowStock },
	}).ParseFS(htmlFiles, "html/base.html", "html/parts.html")
	if err != nil {
		return nil, fmt.Errorf("web: templates: %w", err)
	}
	pages := make(map[string]*tmpl, len(pageNames))
	for _, name := range pageNames {
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(htmlFiles, "html/"+name+".html")
		}
		if err != nil {
			return nil, fmt.Errorf("web: template %s: %w", name, err)
		}
		pages[name] = t
	}
	return pages, nil
}

// render writes a page; nothing is sent before the whole page was made. A shared page gets a validator and answers
// If-None-Match.
func (s *site) render(w http.ResponseWriter, r *http.Request, status int, name string, p page) error {
	var buf bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&buf, "base", p); err != nil {
		return fmt.Errorf("web: page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	send(w, r, status, buf.Bytes())
	return nil
}

// send writes a body, or 304 when the client has it already. Only what may be stored gets an ETag.
func send(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	if status == http.StatusOK && strings.HasPrefix(h.Get("Cache-Control"), "public") {
		sum := sha256.Sum256(body)
		tag := `"` + hex.EncodeToString(sum[:12]) + `"`
		h.Set("ETag", tag)
		if matches(r.Header.Get("If-None-Match"), tag) {
			h.Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away is nobody's error
}

// matches compares an If-None-Match list weakly. A compressing proxy may have appended to the tag inside the quotes.
func matches(list, tag string) bool {
	opaque := strings.Trim(tag, `"`)
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if item == "*" {
			return true
		}
		item = strings.Trim(strings.TrimPrefix(item, "W/"), `"`)
		if item == opaque || strings.HasPrefix(item, opaque+"-") {
			return true
		}
	}
	return false
}
