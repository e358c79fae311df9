package flight

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	stamp     = "20060102T150405.000Z"
	traceEnd  = ".trace"
	reasonEnd = ".json"
)

var fileName = regexp.MustCompile(`^flight-\d{8}T\d{6}\.\d{3}Z\.trace$`)

// ErrNone says that there is no trace of that name.
var ErrNone = errors.New("flight: there is no trace of that name")

// Archive is a folder of traces.
type Archive struct{ Dir string }

// Entry is a trace that was written, and why.
type Entry struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Reason
}

// List tells what there is, the oldest first.
func (a Archive) List() ([]Entry, error) {
	files, err := os.ReadDir(a.Dir) // by name, and so by time
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var list []Entry
	for _, f := range files {
		info, statErr := f.Info()
		if !fileName.MatchString(f.Name()) || statErr != nil {
			continue
		}
		e := Entry{Name: f.Name(), Bytes: info.Size()}
		if raw, err := os.ReadFile(a.reason(f.Name())); err == nil {
			_ = json.Unmarshal(raw, &e.Reason) // a trace without its reason is better than none
		}
		list = append(list, e)
	}
	return list, err
}

func (a Archive) reason(name string) string {
	return filepath.Join(a.Dir, strings.TrimSuffix(name, traceEnd)+reasonEnd)
}

// Open opens a trace by the name that List gave it; an [ErrNone] says that it is not there any more, or no name of a trace.
func (a Archive) Open(name string) (*os.File, error) {
	if !fileName.MatchString(name) {
		return nil, ErrNone
	}
	f, err := os.Open(filepath.Join(a.Dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	return f, err
}

// prune removes the oldest beyond keep.
func (a Archive) prune(keep int) error {
	list, err := a.List()
	if over := len(list) - keep; over > 0 {
		for e := range slices.Values(list[:over]) {
			err = errors.Join(err, os.Remove(filepath.Join(a.Dir, e.Name)), os.Remove(a.reason(e.Name)))
		}
	}
	return err
}
