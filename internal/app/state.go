package app

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
	"time"
)

// Files of a platform's data folder.
const (
	stateFile   = "run/state.json"
	configFile  = "run/config.yaml"
	tokenFile   = "admin-token"
	sessionFile = "session-key"
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

// ReadState returns the state of the platform in the data folder, or ErrNotRunning.
func ReadState(data string) (State, error) {
	raw, err := os.ReadFile(filepath.Join(data, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, fmt.Errorf("%w in %s: start one with `stampede up --data %s`", ErrNotRunning, data, data)
	}
	if err != nil {
		return State{}, err
	}
	var s State
	if err := json.Unmarshal(raw, &s); err != nil {
		return State{}, fmt.Errorf("%s: %w", stateFile, err)
	}
	return s, nil
}

func writeFileAtomic(path string, data []byte, mode fs.FileMode) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, data, mode); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func writeState(data string, s State) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return writeFileAtomic(filepath.Join(data, stateFile), append(raw, '\n'), 0o644)
}

// secret reads the file, or makes it with 32 random bytes in base64, mode 0600.
func secret(path string) (string, error) {
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
	if strings.HasSuffix(path, tokenFile) {
		s = base64.RawURLEncoding.EncodeToString(b) // goes into headers and links
	}
	return s, writeFileAtomic(path, []byte(s+"\n"), 0o600)
}

// FindConfig loads the file given, else the configuration that `up` wrote into the data folder.
func FindConfig(data, path string) (Config, error) {
	if path != "" {
		return ReadOrDefault(path)
	}
	written := filepath.Join(data, configFile)
	if _, err := os.Stat(written); err != nil {
		return Config{}, fmt.Errorf("%w in %s: start one with `stampede up`, or name another with --data or --config", ErrNotRunning, data)
	}
	return Load(written, nil)
}
