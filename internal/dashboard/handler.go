package dashboard

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/docs/runbooks"
)

//go:embed assets
var assetFiles embed.FS

//go:embed html
var htmlFiles embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{"asset": assetURL}).ParseFS(htmlFiles, "html/*.html"))

type asset struct {
	body []byte
	hash string
}

var assets = sync.OnceValue(func() map[string]asset {
	m := map[string]asset{}
	add := func(files embed.FS, dir, end string) {
		entries, _ := files.ReadDir(dir) // embedded: cannot fail
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), end) {
				continue
			}
			body, _ := files.ReadFile(path.Join(dir, e.Name()))
			sum := sha256.Sum256(body)
			m[e.Name()] = asset{body, hex.EncodeToString(sum[:6])}
		}
	}
	add(assetFiles, "assets", "")
	add(runbooks.Files, ".", ".md")
	return m
})

func assetURL(name string) string { return "/assets/" + name + "?v=" + assets()[name].hash }

// Asset serves what the pages need, and the runbooks, without a sign-in: nothing in it is secret.
func Asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	a, ok := assets()[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" {
		kind = "text/markdown; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == a.hash {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(a.body) // the client may be gone
}

// policy lets the pages load from here only; charts set styles by script, which it allows.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Page writes one of the pages: "live", "products", "campaigns", "orders", "dead" or "signin".
func Page(w http.ResponseWriter, status int, name string, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // with none, a form would come from the origin "null"
	w.WriteHeader(status)
	_ = pages.ExecuteTemplate(w, name+".html", data) // the client may be gone
}

// ServeHistory answers with the last minutes of every figure: ?minutes=15, from 1 to 60.
func (c *Collector) ServeHistory(w http.ResponseWriter, r *http.Request) {
	minutes, err := strconv.Atoi(r.URL.Query().Get("minutes"))
	if err != nil || minutes < 1 || minutes > int(Kept/time.Minute) {
		minutes = 15
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(struct { // the client may be gone
		Stretch
		Heat Heats `json:"heat"`
	}{c.history.Last(time.Duration(minutes) * time.Minute), c.Heat()})
}
