// Command catalogue is a service of its own on package cache, without the shop: it answers with things that are slow to read,
// from memory, from Redis, or from its "database", and drops them everywhere when they change.
//
//	redis-server --port 6390 --save '' &
//	go run ./cache/examples/catalogue -listen 127.0.0.1:8091 -peer http://127.0.0.1:8092 -redis 127.0.0.1:6390 &
//	go run ./cache/examples/catalogue -listen 127.0.0.1:8092 -peer http://127.0.0.1:8091 -redis 127.0.0.1:6390 &
//	curl -i 127.0.0.1:8091/things/7                    # X-From: load, after 200 ms
//	curl -i 127.0.0.1:8091/things/7                    # X-From: l1
//	curl -i 127.0.0.1:8092/things/7                    # X-From: l2
//	curl -X PUT 127.0.0.1:8091/things/7 -d 'a teapot'  # gone from both processes and Redis when it answers
//	curl -i 127.0.0.1:8092/things/7                    # X-From: load
//	curl 127.0.0.1:8091/stats
//
// Here the database is a file that both processes read, and the bus between them one HTTP request; package queue has a bus
// over NATS. Without -redis and -peer it is a cache in memory.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/stampede-shop/stampede/cache"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8091", "address to answer on")
	peer := flag.String("peer", "", "URL of the other process; empty: there is none")
	redis := flag.String("redis", "", "address of Redis; empty: none")
	dir := flag.String("dir", filepath.Join(os.TempDir(), "catalogue"), "folder with the things, one file each")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *peer, *redis, *dir); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, listen, peer, redis, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	o := cache.Options{}
	if redis != "" {
		o.Redis = []string{redis}
	}
	mux := http.NewServeMux()
	if peer != "" {
		bus := &peerBus{url: strings.TrimSuffix(peer, "/") + "/bus", client: http.Client{Timeout: time.Second}}
		o.Bus = bus
		mux.Handle("POST /bus", bus)
	}
	store, err := cache.NewStore(o)
	if err != nil {
		return err
	}
	defer store.Close()
	s := &service{dir: dir, store: store, things: cache.New[string](store, "thing", cache.FamilyOptions{L1TTL: time.Minute})}
	mux.HandleFunc("GET /things/{id}", s.get)
	mux.HandleFunc("PUT /things/{id}", s.put)
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(store.Stats()) })
	server := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Shutdown(end)
}

type service struct {
	dir    string
	store  *cache.Store
	things *cache.Family[string]
}

// file is where a thing is kept; an id is one path element of letters, digits and dashes.
func (s *service) file(id string) (string, error) {
	if strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "", fmt.Errorf("id %q: want lower case letters, digits and dashes", id)
	}
	return filepath.Join(s.dir, id), nil
}

func (s *service) get(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	name, err := s.file(id)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	value, from, err := s.things.Get(r.Context(), id, func(context.Context) (string, []string, error) {
		time.Sleep(200 * time.Millisecond) // a slow database
		raw, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			return "nothing yet\n", []string{"thing:" + id}, nil
		}
		return string(raw), []string{"thing:" + id}, err
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("X-From", fmt.Sprint(from))
	_, _ = io.WriteString(w, value)
}

func (s *service) put(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	name, err := s.file(id)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err == nil {
		err = os.WriteFile(name, append(raw, '\n'), 0o644)
	}
	if err == nil { // first the write, then the invalidation: nobody fills the cache with what was before
		err = s.store.Invalidate(r.Context(), []string{"thing:" + id})
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// peerBus tells one other process of invalidations.
type peerBus struct {
	url    string
	client http.Client

	mu sync.Mutex
	fn func([]byte)
}

// Broadcast implements cache.Bus.
func (b *peerBus) Broadcast(ctx context.Context, data []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url, bytes.NewReader(data))
	if err != nil {
		return err
	}
	res, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("%s: %s", b.url, res.Status)
	}
	return nil
}

// Subscribe implements cache.Bus.
func (b *peerBus) Subscribe(fn func(data []byte)) (cancel func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fn = fn
	return func() { b.mu.Lock(); b.fn = nil; b.mu.Unlock() }, nil
}

func (b *peerBus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	fn := b.fn
	b.mu.Unlock()
	if fn != nil {
		fn(data)
	}
	w.WriteHeader(http.StatusNoContent)
}
