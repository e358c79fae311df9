package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// roles says which server of a cluster is the primary, and which standbys may take its place. It is kept beside the data
// directories and forced to disk before anything is done that it allows: whoever starts the servers next, after whatever
// crash, decides as this says.
type roles struct {
	Primary int `json:"primary"` // number of the server: 0 is the folder primaryK, r is replicaK-r
	// Safe: every acknowledged commit is on one of Members at least, so that the furthest of all of them has all.
	Safe    bool  `json:"safe"`
	Members []int `json:"members,omitempty"`
	// Alone is where the primary's log was when it last went on without standbys. What is behind it never takes its place:
	// Safe is false until standbys have caught up with what came after.
	Alone *alone `json:"alone,omitempty"`
	// Demoted servers were primaries and have to be rewound before they follow.
	Demoted  []int   `json:"demoted,omitempty"`
	Failures int     `json:"failovers"`
	History  []event `json:"history,omitempty"`
}

type alone struct {
	LSN string    `json:"lsn"`
	At  time.Time `json:"at"`
}

// event is a decision, for people.
type event struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

// maxHistory bounds the decisions that are kept.
const maxHistory = 50

// roleFile guards the roles of one cluster. Safe for concurrent use.
type roleFile struct {
	path string
	mu   sync.Mutex
	now  roles
}

func openRoles(root string, cluster int) (*roleFile, error) {
	f := &roleFile{path: filepath.Join(root, fmt.Sprintf("roles%d.json", cluster))}
	b, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &f.now); err != nil || f.now.Primary < 0 || f.now.Primary > maxReplicas {
		return nil, fmt.Errorf("%s is broken: it says which server has the data, so it cannot be guessed: %w", f.path, err)
	}
	return f, nil
}

// get is a copy.
func (f *roleFile) get() roles {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now.clone()
}

func (r roles) clone() roles {
	r.Members, r.Demoted, r.History = slices.Clone(r.Members), slices.Clone(r.Demoted), slices.Clone(r.History)
	return r
}

// change makes a change and returns when it is on disk; after an error nothing has changed. what, unless empty, goes to the
// history.
func (f *roleFile) change(what string, edit func(*roles)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := f.now.clone()
	edit(&next)
	if what != "" {
		next.History = append(next.History, event{time.Now().UTC(), what})
		next.History = next.History[max(0, len(next.History)-maxHistory):]
	}
	b, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return err
	}
	if err := writeDurably(f.path, append(b, '\n')); err != nil {
		return fmt.Errorf("record the roles of the servers: %w", err)
	}
	f.now = next
	return nil
}

// writeDurably replaces a file and returns when it is on disk.
func writeDurably(path string, b []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
