package chaoslab

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/chaos/experiment"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// editedShop keeps one attribute of each product; it may show what was before.
type editedShop struct {
	mu            sync.Mutex
	marks, before map[string]any
	stale         bool
	edits         int
}

func (s *editedShop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, _ := io.ReadAll(r.Body)
	switch {
	case r.URL.Path == "/admin/status":
		opshttp.WriteJSON(w, http.StatusOK, map[string]string{"url": "http://" + r.Host})
	case strings.HasPrefix(r.URL.Path, "/admin/"):
		opshttp.Problem(w, http.StatusNotFound, "not-found", "no chaos")
	case r.URL.Path == "/products":
		opshttp.WriteJSON(w, http.StatusOK, []map[string]int{{"id": 1}, {"id": 2}})
	case r.Method == http.MethodPatch:
		var p edited
		_ = json.Unmarshal(raw, &p)
		s.edits++
		s.before[r.URL.Path] = s.marks[r.URL.Path]
		if s.marks[r.URL.Path] = p.Attributes[editMark]; p.Attributes[editMark] == nil {
			delete(s.marks, r.URL.Path)
		}
		opshttp.WriteJSON(w, http.StatusOK, p)
	default:
		value := s.marks[r.URL.Path]
		if s.stale && s.edits > 5 {
			value = s.before[r.URL.Path]
		}
		opshttp.WriteJSON(w, http.StatusOK, edited{map[string]any{editMark: value}})
	}
}

// Edits that are seen too late are found, and in the end nothing is left.
func TestEdits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		shop *editedShop
		want string // in what is found; "" for nothing
	}{
		{"good", &editedShop{}, ""}, {"stale", &editedShop{stale: true}, "edits were not seen"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.shop.marks, c.shop.before = map[string]any{}, map[string]any{}
			srv := httptest.NewServer(c.shop)
			defer srv.Close()
			lab, err := Open(t.Context(), t.TempDir(), srv.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			lab.data = t.TempDir()
			undo, err := lab.Inject(t.Context(), chaos.Request{Fault: editsFault, Params: map[string]string{"every": "10ms"}})
			if err != nil {
				t.Fatal(err)
			}
			localtest.Eventually(t, "edits are made", func() bool {
				c.shop.mu.Lock()
				defer c.shop.mu.Unlock()
				return c.shop.edits > 10
			})
			err = undo(t.Context())
			if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, experiment.ErrFinding) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("found: %v", err)
			}
			if len(c.shop.marks) != 0 {
				t.Errorf("left: %v", c.shop.marks)
			}
			if err := lab.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	if err := (&editor{}).found(); !errors.Is(err, experiment.ErrFinding) {
		t.Errorf("nothing shown is fine: %v", err)
	}
}
