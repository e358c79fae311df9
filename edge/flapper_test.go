package edge

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
)

// flapper is an origin that can die with all its connections and come back at the same socket.
type flapper struct {
	path string
	srv  *http.Server
	wg   sync.WaitGroup
}

func newFlapper(t *testing.T, path string) *flapper {
	t.Helper()
	f := &flapper{path: path}
	f.revive(t)
	t.Cleanup(func() { f.kill() })
	return f
}

func (f *flapper) revive(t *testing.T) {
	t.Helper()
	_ = os.Remove(f.path)
	l, err := net.Listen("unix", f.path)
	if err != nil {
		t.Fatal(err)
	}
	page := bytes.Repeat([]byte("0123456789"), 2000)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "20000")
		_, _ = w.Write(page)
	})}
	f.srv = srv
	f.wg.Go(func() { _ = srv.Serve(l) })
}

func (f *flapper) kill() {
	_ = f.srv.Close()
	f.wg.Wait()
}
