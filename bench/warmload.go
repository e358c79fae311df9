package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"sort"
	"strings"
	"sync"
	"time"
)

// sample is one request of an open load: when it was due, how long after that its answer was there, whether that was the right one,
// and whether the catalogue's database was asked for it.
type sample struct {
	due      time.Time
	took     time.Duration
	good, db bool
}

const (
	openWorkers = 256 // requests under way at most; more are sent late, which counts
	openTimeout = 10 * time.Second
)

// askedCatalogue finds a read of the catalogue in a Server-Timing; units left, which pages show, are a shard's and kept for a second.
var askedCatalogue = regexp.MustCompile(`\bdb;[^,]*desc="?(replica|primary)`)

// open asks for paths that pick chooses, rate a second whatever the shop does, until ctx ends. What a shop that is slow keeps waiting
// is counted from when it was due.
func open(ctx context.Context, base string, rate float64, pick func() string) []sample {
	client := &http.Client{Timeout: openTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: openWorkers, DisableCompression: true}}
	defer client.CloseIdleConnections()
	type job struct {
		due  time.Time
		path string
	}
	jobs := make(chan job, 1<<16)
	out := make([][]sample, openWorkers)
	var wg sync.WaitGroup
	for w := range out {
		wg.Go(func() {
			for j := range jobs {
				if ctx.Err() != nil {
					continue // nobody waits for it any more
				}
				good, db := ask(client, base+j.path)
				out[w] = append(out[w], sample{j.due, time.Since(j.due), good, db})
			}
		})
	}
	next := time.Now()
	for ctx.Err() == nil {
		next = next.Add(time.Duration(rand.ExpFloat64() / rate * float64(time.Second)))
		t := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			t.Stop()
		case <-t.C:
			jobs <- job{next, pick()}
		}
	}
	close(jobs)
	wg.Wait()
	var all []sample
	for _, s := range out {
		all = append(all, s...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].due.Before(all[j].due) })
	return all
}

func ask(client *http.Client, url string) (good, db bool) {
	res, err := client.Get(url) //nolint:noctx // the client's time-out bounds it
	if err != nil {
		return false, false
	}
	defer func() { _ = res.Body.Close() }()
	_, err = io.Copy(io.Discard, res.Body)
	return err == nil && res.StatusCode == http.StatusOK, askedCatalogue.MatchString(strings.Join(res.Header["Server-Timing"], ","))
}

// browsing is what shoppers look at: products, their pages and lists, few of them much and most seldom (Zipf, s = 1).
type browsing struct {
	lists, products []string
	harmonic        []float64
	rng             *rand.Rand
}

// learnBrowsing walks over a shop's catalogue. Which products are wanted has nothing to do with what the catalogue calls popular.
func learnBrowsing(ctx context.Context, base string, seed uint64) (*browsing, error) {
	b := &browsing{rng: rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // a load
	seen := map[string]bool{}
	for path := "/products?limit=100&sort=newest"; path != ""; {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
		if err != nil {
			return nil, err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		var page []struct {
			ID                    int64
			Slug, Category, Brand string
		}
		err = json.NewDecoder(res.Body).Decode(&page)
		_ = res.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("GET %s: %d: %w", path, res.StatusCode, err)
		}
		for _, p := range page {
			b.products = append(b.products, fmt.Sprint("/products/", p.ID), fmt.Sprintf("/p/%d-%s", p.ID, p.Slug))
			for _, l := range []string{"/c/" + p.Category, "/products?limit=20&category=" + url.QueryEscape(p.Category), "/products?limit=20&brand=" + url.QueryEscape(p.Brand)} {
				if !seen[l] {
					seen[l] = true
					b.lists = append(b.lists, l)
				}
			}
		}
		path = ""
		if cursor := res.Header.Get("X-Next-Cursor"); cursor != "" {
			path = "/products?limit=100&sort=newest&cursor=" + url.QueryEscape(cursor)
		}
	}
	for _, list := range [][]string{b.lists, b.products} {
		b.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	sum := 0.0
	for i := range max(len(b.lists), len(b.products)) {
		sum += 1 / float64(i+1)
		b.harmonic = append(b.harmonic, sum)
	}
	return b, nil
}

// pick is the next address: every other one a list.
func (b *browsing) pick() string {
	from := b.products
	if b.rng.IntN(2) == 0 {
		from = b.lists
	}
	n := len(from)
	return from[min(sort.SearchFloat64s(b.harmonic[:n], b.rng.Float64()*b.harmonic[n-1]), n-1)]
}

func (b *browsing) String() string {
	return fmt.Sprintf("%d addresses of products, %d lists", len(b.products), len(b.lists))
}
