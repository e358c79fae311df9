package app

import (
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/postgres"
)

// The report counts all bad records and lists a bounded number of them; both goroutines of a load add to it.
func TestLoadReport(t *testing.T) {
	t.Parallel()
	var bad badRecords
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range maxBadRecords {
				bad.add(BadRecord{Line: i, Field: "price", Reason: "is missing"})
			}
		})
	}
	wg.Wait()
	r := bad.reportOn(postgres.ImportReport{Inserted: 1, Elapsed: 2 * time.Second})
	if r.Bad != 2*maxBadRecords || len(r.BadRecords) != maxBadRecords {
		t.Errorf("%d bad, %d listed", r.Bad, len(r.BadRecords))
	}
	if want := "1 product: 1 new, 0 changed, 0 as they were; 2000 bad records left out; 2.0 s (0/s)"; r.String() != want {
		t.Errorf("%q, want %q", r.String(), want)
	}
	raw, err := json.Marshal((&badRecords{}).reportOn(postgres.ImportReport{}))
	if err != nil || !strings.Contains(string(raw), `"bad_records":[]`) {
		t.Errorf("%s %v", raw, err)
	}
}

// What was read of a file of a known size is the share that is done.
func TestMeter(t *testing.T) {
	t.Parallel()
	m := &meter{Reader: strings.NewReader("0123456789"), size: 20}
	if n, err := io.Copy(io.Discard, m); n != 10 || err != nil || m.share(0) != 0.5 {
		t.Errorf("%d %v %v", n, err, m.share(0))
	}
	if m.size = 0; m.share(0) >= 0 {
		t.Error("a share of something of unknown size")
	}
}
