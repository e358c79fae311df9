package waf

import (
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newWAF(t testing.TB, o Options) *WAF {
	t.Helper()
	w, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// thin is rapid.Check, with a quarter of the checks under the race detector.
func thin(t *testing.T, prop func(*rapid.T)) {
	t.Helper()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		if n++; n%every(1) == 0 {
			prop(t)
		}
	})
}
