package main

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
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
