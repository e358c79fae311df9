package edge

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// passing is an answer's body on its way through; each read has a deadline unless stall is 0.
type passing struct {
	io.ReadCloser
	timer   *time.Timer // gives the request up when it fires
	stall   time.Duration
	release func()
	once    sync.Once
}

func (b *passing) Read(p []byte) (int, error) {
	if b.stall > 0 {
		b.timer.Reset(b.stall)
		defer b.timer.Stop() // while the client reads, its own deadline counts
	}
	return b.ReadCloser.Read(p)
}

func (b *passing) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.release)
	return err
}

// upgraded is a connection that has changed its protocol.
type upgraded struct {
	io.ReadWriteCloser
	release func()
	once    sync.Once
}

func (b *upgraded) Close() error {
	err := b.ReadWriteCloser.Close()
	b.once.Do(b.release)
	return err
}

func isEventStream(h http.Header) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "text/event-stream")
}
