// Package experiments has the chaos experiments that ship: YAML files, embedded in the binary. See chaos/experiment for what
// their words mean, and docs/chaos.md for how to write one.
package experiments

import (
	"embed"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/chaos/experiment"
)

//go:embed *.yaml
var files embed.FS

// Names of the experiments that ship.
func Names() (names []string) {
	entries, _ := files.ReadDir(".")
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// All reads the experiments that ship.
func All() ([]*experiment.Experiment, error) {
	var list []*experiment.Experiment
	for _, name := range Names() {
		e, err := Find(name)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// Find is the experiment of that name, or else the one in the file of that name.
func Find(nameOrFile string) (*experiment.Experiment, error) {
	var data []byte
	var err error
	switch {
	case slices.Contains(Names(), nameOrFile):
		data, err = files.ReadFile(path.Join(nameOrFile + ".yaml"))
	case strings.ContainsAny(nameOrFile, "./\\"):
		data, err = os.ReadFile(nameOrFile)
	default:
		return nil, fmt.Errorf("%w: there is no experiment %q; `stampede chaos list` shows all, or name a YAML file", experiment.ErrExperiment, nameOrFile)
	}
	if err != nil {
		return nil, err
	}
	e, err := experiment.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", nameOrFile, err)
	}
	return e, nil
}
