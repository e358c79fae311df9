package scenario

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// ErrScenario is what is wrong with a scenario; the error that wraps it says where, and what is allowed.
var ErrScenario = errors.New("wrong scenario")

//go:embed ready/*.yaml
var files embed.FS

// Names of the scenarios that ship.
func Names() (names []string) {
	entries, _ := files.ReadDir("ready")
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Ready is a scenario that ships.
func Ready(name string) (Scenario, error) {
	if !slices.Contains(Names(), name) {
		return Scenario{}, fmt.Errorf("%w: %q is unknown; there are %s, or name a YAML file", ErrScenario, name, strings.Join(Names(), ", "))
	}
	data, err := files.ReadFile(path.Join("ready", name+".yaml"))
	if err != nil {
		return Scenario{}, err
	}
	return Parse(data)
}

// Source is the YAML text of a scenario that ships, to begin one's own with.
func Source(name string) (string, error) {
	data, err := files.ReadFile(path.Join("ready", name+".yaml"))
	if err != nil {
		return "", fmt.Errorf("%w: %q is unknown; there are %s", ErrScenario, name, strings.Join(Names(), ", "))
	}
	return string(data), nil
}

// Find is the ready scenario of that name, or else the one in the file of that name.
func Find(nameOrFile string) (Scenario, error) {
	if !strings.ContainsAny(nameOrFile, "./\\") {
		return Ready(nameOrFile)
	}
	data, err := os.ReadFile(nameOrFile)
	if err != nil {
		return Scenario{}, fmt.Errorf("%w: %w", ErrScenario, err)
	}
	s, err := Parse(data)
	if err != nil {
		return Scenario{}, fmt.Errorf("%s: %w", nameOrFile, err)
	}
	def(&s.Name, strings.TrimSuffix(path.Base(nameOrFile), path.Ext(nameOrFile)))
	return s, nil
}

// Parse reads a scenario, fills in defaults and checks it.
func Parse(data []byte) (Scenario, error) {
	var s Scenario
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil {
		return Scenario{}, fmt.Errorf("%w: %w", ErrScenario, err)
	}
	if err := d.Decode(new(Scenario)); !errors.Is(err, io.EOF) {
		return Scenario{}, fmt.Errorf("%w: there is more than one document", ErrScenario)
	}
	s = s.WithDefaults()
	return s, s.Check()
}
