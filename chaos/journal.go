package chaos

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/stampede-shop/stampede/chaos/internal/ident"
)

// journal is a file that says what its process is about to touch, and what it has taken back. Each line is on disk before
// what it announces happens. The file is locked for as long as its process lives, and gone when nothing is left to undo.
type journal struct {
	mu    sync.Mutex
	file  *os.File
	head  []byte
	open  int   // injections begun and not ended
	ended bool  // the file was removed
	err   error // the file is not to be trusted any more
}

const journalPattern = "chaos-*.journal"

// record is a line of the journal.
type record struct {
	Op    string          `json:"op"` // owner, begin, amend, end
	Owner *ident.Identity `json:"owner,omitempty"`
	ID    string          `json:"id,omitempty"`
	Fault string          `json:"fault,omitempty"`
	State json.RawMessage `json:"state,omitempty"`
	At    time.Time       `json:"at"`
}

// openJournal makes a journal of this process in dir. dir "" is none: then every method does nothing.
func openJournal(dir string) (*journal, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("chaos: journal: %w", err)
	}
	// Locked under a name that nobody reads yet, so that nobody takes it for one whose owner is dead.
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return nil, fmt.Errorf("chaos: journal: %w", err)
	}
	j := &journal{file: f}
	if err := j.begin(dir); err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		return nil, fmt.Errorf("chaos: journal: %w", err)
	}
	return j, nil
}

func (j *journal) begin(dir string) error {
	if err := syscall.Flock(int(j.file.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	self := ident.Self()
	head, err := json.Marshal(record{Op: "owner", Owner: &self, At: time.Now().UTC()})
	if err != nil {
		return err
	}
	j.head = append(head, '\n')
	if _, err := j.file.Write(j.head); err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	return os.Rename(j.file.Name(), j.path(dir))
}

func (j *journal) path(dir string) string {
	return filepath.Join(dir, "chaos-"+filepath.Base(j.file.Name())[len(".new-"):]+".journal")
}

// write puts a record on disk.
func (j *journal) write(r record) error {
	if j == nil {
		return nil
	}
	r.At = time.Now().UTC()
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("chaos: journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	if _, err = j.file.Write(append(line, '\n')); err == nil {
		err = j.file.Sync()
	}
	if err != nil { // what is in the file now is unknown, and later lines may follow half a one
		j.err = fmt.Errorf("chaos: journal: %w", err)
		return j.err
	}
	switch r.Op {
	case "begin":
		j.open++
	case "end":
		if j.open--; j.open == 0 {
			j.err = j.shorten()
		}
	}
	return j.err
}

// shorten drops the lines of what is over, so that the file does not grow for ever.
func (j *journal) shorten() error {
	err := j.file.Truncate(int64(len(j.head)))
	if err == nil {
		_, err = j.file.Seek(0, io.SeekEnd)
	}
	if err != nil {
		return fmt.Errorf("chaos: journal: %w", err)
	}
	return nil
}

// close lets go of the file, and removes it unless something in it is still to be undone.
func (j *journal) close(dir string) error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ended {
		return nil
	}
	j.ended = true
	var err error
	if j.open == 0 {
		err = os.Remove(j.path(dir))
	}
	return errors.Join(err, j.file.Close())
}

// leftover is an injection that a dead process began and did not end.
type leftover struct {
	id, fault string
	state     json.RawMessage
}

// readJournal tells whose journal a file is and what is open in it, the newest first. A last line that is cut short was never
// on disk, so that what it announces has not happened.
func readJournal(r io.Reader) (owner ident.Identity, open []leftover, err error) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return owner, open, nil
		}
		if err != nil {
			return owner, open, err
		}
		var rec record
		if err := json.Unmarshal(bytes.TrimSpace(line), &rec); err != nil {
			return owner, open, fmt.Errorf("a line is not a record: %w", err)
		}
		if rec.Op == "owner" && rec.Owner != nil {
			owner = *rec.Owner
			continue
		}
		open = apply(open, rec)
	}
}

func apply(open []leftover, rec record) []leftover {
	if rec.Op == "begin" {
		return append([]leftover{{rec.ID, rec.Fault, rec.State}}, open...)
	}
	for i := range open {
		if open[i].id != rec.ID {
			continue
		}
		if rec.Op == "amend" {
			open[i].state = rec.State
			return open
		}
		return append(open[:i:i], open[i+1:]...)
	}
	return open
}
