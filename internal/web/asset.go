package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"sync"

	"github.com/stampede-shop/stampede/internal/shop"
)

//go:embed assets
var assetFiles embed.FS

// file is an embedded asset; hash is part of its address, so that browsers may keep it for good.
type file struct {
	body []byte
	hash string
}

var assets = sync.OnceValue(func() map[string]file {
	m := map[string]file{}
	entries, _ := assetFiles.ReadDir("assets") // embedded: cannot fail
	for _, e := range entries {
		body, _ := assetFiles.ReadFile("assets/" + e.Name())
		sum := sha256.Sum256(body)
		m[e.Name()] = file{body: body, hash: hex.EncodeToString(sum[:6])}
	}
	return m
})

func assetURL(name string) string { return "/assets/" + name + "?v=" + assets()[name].hash }

func (s *site) asset(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("file")
	f, ok := assets()[name]
	if !ok {
		return shop.NotFound("asset", name)
	}
	edgeMay(w.Header(), keepPage, "assets")
	if r.URL.Query().Get("v") == f.hash {
		everybodyMay(w.Header(), keepAsset, "assets")
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	send(w, r, http.StatusOK, f.body)
	return nil
}
