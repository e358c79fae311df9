package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inLine is a place in the waiting room.
type inLine struct {
	Position int64 `json:"position"`
	Admitted *bool `json:"admitted"`
	Hopeless bool  `json:"hopeless"`
}

// queuer is a shopper who waits, with cookies.
type queuer struct {
	http.Client
	url string
}

func newQueuer(t *testing.T, p *platform) *queuer {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &queuer{http.Client{Jar: jar, Timeout: time.Minute}, p.URL}
}

func (q *queuer) do(method, path, body string) (status int, place inLine, err error) {
	req, err := http.NewRequest(method, q.url+path, strings.NewReader(body))
	if err != nil {
		return 0, place, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	res, err := q.Do(req)
	if err != nil {
		return 0, place, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return res.StatusCode, place, err
	}
	_ = json.Unmarshal(raw, &place)
	return res.StatusCode, place, nil
}

const addHot = `{"product_id":7,"quantity":1}`

// The waiting room before and after the doors open: a place that nobody can use for another session, that survives a killed
// edge, that no detour avoids; then the hot product is bought, in order, and who comes too late is told.
func TestWaitingRoom(t *testing.T) {
	t.Parallel()
	p := newPlatform("waitroom")
	t.Cleanup(func() {
		if err := p.down(); err != nil {
			t.Error(err)
		}
	})
	opens := p.upBeforeDoors(t, "--products", "50", "--apis", "1", "--shards", "1", "--replicas", "0")
	p.admin(t, http.StatusOK, "PUT", "/products/7/stock", map[string]any{"available": 2})
	shoppers := make([]*queuer, 4)
	for i := range shoppers {
		shoppers[i] = newQueuer(t, p)
		if status, place, err := shoppers[i].do("POST", "/cart/add", addHot); err != nil || status != http.StatusServiceUnavailable || place.Admitted == nil || *place.Admitted || place.Position != int64(i) {
			t.Fatalf("shopper %d: %d %+v %v", i, status, place, err)
		}
	}
	if status, _, err := shoppers[3].do("POST", "/batch", `{"requests":[{"method":"POST","path":"/cart/add","body":`+addHot+`}]}`); err != nil || status != http.StatusOK {
		t.Fatalf("batch: %d %v", status, err)
	}
	if status, place, err := shoppers[3].do("POST", "/orders/checkout", ""); err != nil || status != http.StatusUnprocessableEntity { // the cart is empty
		t.Fatalf("a detour: %d %+v %v", status, place, err)
	}
	thief := newQueuer(t, p)
	home, _ := url.Parse(p.URL)
	for _, c := range shoppers[0].Jar.Cookies(home) {
		if strings.HasPrefix(c.Name, "place-") {
			thief.Jar.SetCookies(home, []*http.Cookie{c})
		}
	}
	if status, place, err := thief.do("POST", "/cart/add", addHot); err != nil || status != http.StatusServiceUnavailable || place.Position < 4 {
		t.Errorf("with another's place: %d %+v %v", status, place, err)
	}
	if err := syscall.Kill(p.pid(t, "edge"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Minute, "the edge is back", func() error {
		for i, q := range shoppers {
			if status, place, err := q.do("GET", "/queue", ""); err != nil || status != http.StatusOK || place.Admitted == nil || !*place.Admitted && place.Position != int64(i) && time.Now().Before(opens) {
				return fmt.Errorf("shopper %d: %d %+v %v", i, status, place, err)
			}
		}
		return nil
	})
	for i, q := range shoppers[:2] {
		eventually(t, 2*time.Minute, "the first two buy", func() error {
			if status, place, err := q.do("POST", "/cart/add", addHot); err != nil || status != http.StatusOK {
				return fmt.Errorf("shopper %d: %d %+v %v", i, status, place, err)
			}
			return nil
		})
		eventually(t, time.Minute, "they check out", func() error {
			status, _, err := q.do("POST", "/orders/checkout", "")
			if status == http.StatusServiceUnavailable { // busy
				return fmt.Errorf("shopper %d: %d", i, status)
			}
			if err != nil || status != http.StatusCreated {
				t.Fatalf("shopper %d checks out: %d %v", i, status, err)
			}
			return nil
		})
	}
	eventually(t, time.Minute, "who comes too late is told", func() error { // a crowd: the rate lets two a second in
		status, place, err := newQueuer(t, p).do("POST", "/cart/add", addHot)
		if err != nil || status != http.StatusConflict || !place.Hopeless {
			return fmt.Errorf("%d %+v %v", status, place, err)
		}
		return nil
	})
	p.audit(t)
}

// upBeforeDoors starts the platform with a door that opens while the test goes on: again, and with more time, should the start have taken
// most of it.
func (p *platform) upBeforeDoors(t *testing.T, flags ...string) (opens time.Time) {
	t.Helper()
	for ahead := 30 * time.Second; ; ahead *= 2 {
		opens = time.Now().Add(ahead).UTC()
		p.env = []string{"STAMPEDE_EDGE_WAITROOM_DOORS=" + fmt.Sprintf(`[{name: lamps, products: [7], opens: %q, before: 1h}]`, opens.Format(time.RFC3339)),
			"STAMPEDE_EDGE_WAITROOM_RATE=2", "STAMPEDE_EDGE_WAITROOM_MIN_RATE=1", "STAMPEDE_EDGE_WAITROOM_MAX_RATE=2"}
		if err := p.up(flags...); err != nil {
			t.Fatal(err)
		}
		if time.Until(opens) > ahead/2 {
			return opens
		}
		t.Logf("the start took most of %v", ahead)
		if err := p.down(); err != nil {
			t.Fatal(err)
		}
	}
}
