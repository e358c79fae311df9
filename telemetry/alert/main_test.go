package alert

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)

// at is a second of the simulated day.
func at(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }

func engine(t testing.TB, o Options) *Engine {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// stateOf is the state of an alert, "" when it is not listed.
func stateOf(e *Engine, name string) State {
	for _, a := range e.Alerts() {
		if a.Name == name {
			return a.State
		}
	}
	return ""
}
