package httpapi

import (
	"bytes"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Levels: an answer is compressed while somebody waits, so all of them are fast ones.
const (
	brotliLevel = 3
	gzipLevel   = 4
	zstdWindow  = 512 << 10 // every browser takes up to 8 MiB
)

// encoder is what the three libraries have in common.
type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(w io.Writer)
}

// encoders are pools of encoders by content coding.
var encoders = map[string]*sync.Pool{
	"br":   {New: func() any { return brotli.NewWriterLevel(nil, brotliLevel) }},
	"gzip": {New: func() any { return must(gzip.NewWriterLevel(nil, gzipLevel)) }},
	"zstd": {New: func() any {
		return must(zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true)))
	}},
}

func must[T any](v T, err error) T {
	if err != nil {
		panic("httpapi: " + err.Error()) // constant options are wrong
	}
	return v
}

// compress returns body under a coding.
func compress(dst *bytes.Buffer, coding string, body []byte) error {
	pool := encoders[coding]
	e := pool.Get().(encoder)
	e.Reset(dst)
	_, err := e.Write(body)
	if closeErr := e.Close(); err == nil {
		err = closeErr
	}
	e.Reset(nil)
	pool.Put(e)
	return err
}

// buffers hold answers until it is known whether they are worth compressing.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const keepBuffer = 256 << 10 // larger ones go to the garbage collector

func putBuffer(b *bytes.Buffer) {
	if b != nil && b.Cap() <= keepBuffer {
		b.Reset()
		buffers.Put(b)
	}
}
