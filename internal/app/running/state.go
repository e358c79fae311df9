package running

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/local"
)

// Files of a platform's data folder.
const (
	StateFile   = "run/state.json"
	ConfigFile  = "run/config.yaml"
	TokenFile   = "admin-token"
	SessionFile = "session-key"
)

// State is what a running platform tells other commands, in DATA/run/state.json.
type State struct {
	PID     int       `json:"pid"`
	URL     string    `json:"url"`
	Ops     string    `json:"ops_url"`
	Data    string    `json:"data"`
	Started time.Time `json:"started"`
}

// ErrNotRunning says that no platform runs with this data folder.
var ErrNotRunning = errors.New("no platform is running")

// NotRunning is ErrNotRunning, and says what to do about it.
func NotRunning(data string) error {
	return fmt.Errorf("%w in %s: start one with `stampede up --data %s`", ErrNotRunning, data, local.ShellWord(data))
}

// ReadState returns the state of the platform in the data folder, or ErrNotRunning.
func ReadState(data string) (State, error) {
	raw, err := os.ReadFile(filepath.Join(data, StateFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return State{}, NotRunning(data)
	}
	if err != nil {
		return State{}, err
	}
	var s State
	if err := json.Unmarshal(raw, &s); err != nil {
		return State{}, fmt.Errorf("%s: %w", StateFile, err)
	}
	return s, nil
}

// WriteFileAtomic leaves the old file or the new one, whatever happens meanwhile.
func WriteFileAtomic(path string, data []byte, mode fs.FileMode) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, data, mode); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// WriteState lets other commands find the platform.
func WriteState(data string, s State) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return WriteFileAtomic(filepath.Join(data, StateFile), append(raw, '\n'), 0o644)
}

// Secret reads the file, or makes it with 32 random bytes in base64, mode 0600.
func Secret(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(raw)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	s := base64.StdEncoding.EncodeToString(b)
	if strings.HasSuffix(path, TokenFile) {
		s = base64.RawURLEncoding.EncodeToString(b) // goes into headers and links
	}
	return s, WriteFileAtomic(path, []byte(s+"\n"), 0o600)
}

// FindConfig loads the file given, else the configuration that `up` wrote into the data folder.
func FindConfig(data, path string) (config.Config, error) {
	if path != "" {
		return config.ReadOrDefault(path)
	}
	written := filepath.Join(data, ConfigFile)
	if _, err := os.Stat(written); err != nil {
		return config.Config{}, fmt.Errorf("%w in %s: start one with `stampede up`, or name another with --data or --config", ErrNotRunning, data)
	}
	return config.Load(written, nil)
}
