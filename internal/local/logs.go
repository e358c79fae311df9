package local

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"time"
)

// openLog opens a log for appending, rotating it first when it has grown too large.
func openLog(path string, limit int64) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	rotate(path, limit)
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
}

func logSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// rotate moves what a too large log holds to PATH.1, replacing what was there. The file itself stays:
// the process has it open, and appends. What it writes at this very moment may be lost.
func rotate(path string, limit int64) {
	if logSize(path) <= limit {
		return
	}
	from, err := os.Open(path)
	if err != nil {
		return
	}
	defer from.Close()
	to, err := os.Create(path + ".1")
	if err != nil {
		return
	}
	defer to.Close()
	if _, err := io.Copy(to, from); err == nil {
		_ = os.Truncate(path, 0)
	}
}

// rotateLogs looks after the logs of all processes until ended is closed.
func (s *Supervisor) rotateLogs(ended <-chan struct{}) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for _, r := range s.runners {
				rotate(r.p.LogFile, s.o.MaxLogSize)
			}
		case <-ended:
			return
		}
	}
}

const tailSize = 4000

// logTail is the end of what a log got since it had the size from.
func logTail(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	size := logSize(path)
	if from > size { // it was rotated
		from = 0
	}
	b := make([]byte, min(size-from, tailSize))
	n, _ := f.ReadAt(b, size-int64(len(b)))
	return string(bytes.TrimSpace(b[:n]))
}
