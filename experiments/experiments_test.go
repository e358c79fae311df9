package experiments_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stampede-shop/stampede/chaos/experiment"
	"github.com/stampede-shop/stampede/experiments"
)

// Every file is an experiment, named as its file, with time left after its last fault for what is expected then.
func TestShipped(t *testing.T) {
	t.Parallel()
	list, err := experiments.All()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 15 {
		t.Errorf("%d experiments", len(list))
	}
	for i, e := range list {
		if e.Name != experiments.Names()[i] {
			t.Errorf("%s.yaml is called %q", experiments.Names()[i], e.Name)
		}
		if len(e.About) < 30 {
			t.Errorf("%s: about what? %q", e.Name, e.About)
		}
	}
	if _, err := experiments.Find("replica-lag"); err != nil {
		t.Error(err)
	}
	if _, err := experiments.Find("no-such"); !errors.Is(err, experiment.ErrExperiment) {
		t.Error(err)
	}
	if _, err := experiments.Find(filepath.Join(t.TempDir(), "mine.yaml")); err == nil {
		t.Error("a file that is not there was read")
	}
	if e, err := experiments.Find("./replica-lag.yaml"); err != nil || e.Name != "replica-lag" {
		t.Errorf("%v, %v", e, err)
	}
}
