package warm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Store keeps small documents by name. Names are made of Options.Name and a word, with a dot between.
type Store interface {
	// Save replaces a document; nil data removes it.
	Save(ctx context.Context, name string, data []byte) error
	// Load returns a document, nil when there is none.
	Load(ctx context.Context, name string) ([]byte, error)
}

// Dir is a Store in a folder, which is made when it is first written to. A document is replaced as a whole or not at all.
type Dir string

var _ Store = Dir("")

// Save implements [Store].
func (d Dir) Save(_ context.Context, name string, data []byte) error {
	path, err := d.path(name)
	if err != nil {
		return err
	}
	if data == nil {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(string(d), "."+name+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // renamed by then, if all went well
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Load implements [Store].
func (d Dir) Load(_ context.Context, name string) ([]byte, error) {
	path, err := d.path(name)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (d Dir) path(name string) (string, error) {
	if name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, `/\`) {
		return "", fmt.Errorf("%w: %q cannot name a file", ErrOptions, name)
	}
	return filepath.Join(string(d), name), nil
}
