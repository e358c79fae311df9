package waitroom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Counts are the two numbers of a room. Those above Admitted, up to Issued, wait.
type Counts struct {
	Issued   int64 `json:"issued"`
	Admitted int64 `json:"admitted"`
}

// Store keeps the numbers of rooms, for one edge or for several. Its methods may be called at once by many.
type Store interface {
	// Next gives out the next number of a room, from 1.
	Next(ctx context.Context, room string) (int64, error)
	// Admit lets in so many more, but none that has no number yet, and returns how things stand. 0 only asks.
	Admit(ctx context.Context, room string, more int64) (Counts, error)
	// Seen tells that a number was given out, of which the store may not know any more.
	Seen(ctx context.Context, room string, number int64) error
}

// Local is a [Store] of one edge, in memory and, with a path, in a file.
type Local struct {
	path string

	mu    sync.Mutex
	rooms map[string]*local
}

// local is a room in a file. Places given after it was written are not in it; Lead is how many there may have been.
type local struct {
	Counts
	Lead int64 `json:"lead"`

	written int64 // Issued when it was last written
}

// NewLocal reads what was kept at path, "" for nowhere. After a crash the queue goes on behind all places that may have been
// given.
func NewLocal(path string) (*Local, error) {
	l := &Local{path: path, rooms: map[string]*local{}}
	if path == "" {
		return l, nil
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &l.rooms)
	}
	if err != nil {
		return nil, fmt.Errorf("waitroom: %s: %w (remove the file to begin with an empty waiting room)", path, err)
	}
	for _, r := range l.rooms {
		r.Issued += r.Lead
		r.written = r.Issued
	}
	return l, nil
}

func (l *Local) room(name string) *local {
	r := l.rooms[name]
	if r == nil {
		r = &local{}
		l.rooms[name] = r
	}
	return r
}

// Next implements Store.
func (l *Local) Next(_ context.Context, room string) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.room(room)
	r.Issued++
	return r.Issued, nil
}

// Admit implements Store. It writes the file when something has changed; when that fails the numbers count all the same.
func (l *Local) Admit(_ context.Context, room string, more int64) (Counts, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.room(room)
	admitted := min(r.Issued, r.Admitted+max(0, more))
	changed := admitted != r.Admitted || r.Issued != r.written
	r.Admitted = admitted
	if !changed || l.path == "" {
		return r.Counts, nil
	}
	r.Lead = 2 * (r.Issued - r.written)
	r.written = r.Issued
	return r.Counts, l.write()
}

// Seen implements Store.
func (l *Local) Seen(_ context.Context, room string, number int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.room(room)
	r.Issued = max(r.Issued, number)
	return nil
}

// write replaces the file; l.mu is held.
func (l *Local) write() error {
	raw, err := json.Marshal(l.rooms)
	if err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(l.path), "."+filepath.Base(l.path)+".new")
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		return fmt.Errorf("waitroom: keep the queue: %w", err)
	}
	return os.Rename(tmp, l.path)
}
