package loadsim

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// inside plays a scenario in a bubble of synctest, whose clock moves only when everybody waits, so that nothing is late because
// the machine is busy. The shop answers after a millisecond, without connections, for which no bubble waits.
func inside(t *testing.T, shop http.Handler, yaml string, change func(*Options)) *Report {
	t.Helper()
	o := Options{Target: "http://shop.test", Scenario: play(t, yaml), Seed: 7, Transport: direct{shop}, timers: true}
	return played(t, o, change)
}

// direct is a Transport that leads to a handler.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	time.Sleep(time.Millisecond)
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}
