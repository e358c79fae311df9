package flight

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// deck is a tape that counts for how long it was on, on a clock of the test's own.
type deck struct {
	r      *run
	now    time.Time
	count  uint64
	starts int
	saved  []Reason
}

func (d *deck) Start() error { d.starts++; return nil }
func (d *deck) Stop()        {}

func newDeck(t testing.TB) *deck {
	t.Helper()
	rec, err := New(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	d := &deck{now: time.Unix(0, 0)}
	rec.budget = newBudget(rec.o.Busy, d.now, func() uint64 { return d.count })
	d.begin(t, rec)
	return d
}

// begin is what Run does first.
func (d *deck) begin(t testing.TB, rec *Recorder) {
	t.Helper()
	d.r = &run{Recorder: rec, tape: d, save: func(why Reason) { d.saved = append(d.saved, why) }}
	if err := d.r.begin(d.now); err != nil {
		t.Fatal(err)
	}
	rec.ready.Store(true)
}

// pass lets time go by, with so many switches a second, and tells the share of it that was recorded, and how many switches.
func (d *deck) pass(rate float64, span time.Duration) (share, recorded float64) {
	var on, beats float64
	for end := d.now.Add(span); d.now.Before(end); beats++ {
		grown := rate * Beat.Seconds()
		d.now = d.now.Add(Beat)
		d.count += uint64(grown)
		if d.r.on {
			on, recorded = on+1, recorded+grown
		}
		d.r.beat(d.now)
	}
	return on / beats, recorded
}

// sign is what Run does with one.
func (d *deck) sign() { d.r.until = d.now.Add(d.r.o.Window); d.r.beat(d.now) }

// A quiet process is recorded all the time, a busy one when something begins, for no longer than is saved up.
func TestABusyProcessIsRecordedFromTheFirstSignOn(t *testing.T) {
	t.Parallel()
	d := newDeck(t)
	if share, _ := d.pass(9_000, time.Hour); share != 1 || d.starts != 1 {
		t.Errorf("a quiet process: %.2f of the time, begun %d times", share, d.starts)
	}
	d.pass(200_000, 30*time.Second)
	if share, _ := d.pass(200_000, time.Hour); share != 0 {
		t.Errorf("a busy process: %.2f of the time", share)
	}
	d.sign()
	share, _ := d.pass(200_000, 10*time.Second)
	if share < .2 || share > .4 {
		t.Errorf("a busy process at a sign: %.2f of 10 s", share)
	}
	d.pass(200_000, time.Minute)
	if share, _ := d.pass(7_000, time.Minute); share < .9 {
		t.Errorf("quiet again: %.2f of the time", share)
	}
}

// Whatever the load and the signs are, no more is recorded than a process has that is just not busy, but for what was saved up.
func TestRecordingIsBounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		d := newDeck(t)
		begun, all := d.now, 0.0
		for range rapid.IntRange(1, 20).Draw(rt, "stretches") {
			if rapid.Bool().Draw(rt, "sign") {
				d.sign()
			}
			_, n := d.pass(rapid.Float64Range(0, 400_000).Draw(rt, "rate"), time.Duration(rapid.IntRange(1, 60).Draw(rt, "s"))*time.Second)
			all += n
		}
		busy := d.r.o.Busy
		most := busy*d.now.Sub(begun).Seconds() + busy*savedUp + float64(d.starts)*400_000*Beat.Seconds() // it is noticed a beat late
		if all > most {
			rt.Fatalf("%.0f recorded in %v, begun %d times", all, d.now.Sub(begun), d.starts)
		}
	})
}

// What nothing had announced is recorded from then on, and written when there is enough; then there is a pause.
func TestWithoutASignTheTimeAfterIsWritten(t *testing.T) {
	t.Parallel()
	d := newDeck(t)
	d.pass(200_000, time.Minute)
	asked := d.now
	d.r.ask(Reason{At: asked, What: "GET /"})
	d.r.beat(d.now)
	d.r.ask(Reason{At: asked, What: "too soon"})
	d.pass(200_000, 2*time.Second)
	if len(d.saved) != 0 {
		t.Fatal("written at once, with next to nothing in it")
	}
	d.pass(200_000, 2*time.Second)
	if len(d.saved) != 1 || d.saved[0].What != "GET /" || d.saved[0].Since.Before(asked) {
		t.Fatalf("%+v", d.saved)
	}
	if share, _ := d.pass(200, d.r.o.Pause-2*d.r.o.Window); share > .1 || d.r.ready.Load() {
		t.Errorf("recorded %.2f of a time of which nothing may be written", share)
	}
	d.pass(200, 2*d.r.o.Window)
	d.r.ask(Reason{At: d.now, What: "GET /cart"})
	d.r.beat(d.now)
	if len(d.saved) != 2 || !d.saved[1].Since.Before(d.now.Add(-d.r.o.Window)) {
		t.Errorf("a quiet process: %+v", d.saved)
	}
}

// Resting for a moment, again and again, gives a busy process nothing to record with.
func TestARestSavesNothingUp(t *testing.T) {
	t.Parallel()
	d := newDeck(t)
	d.pass(200_000, time.Minute)
	for range 100 {
		d.r.stop()
		for range 2 { // nobody beats meanwhile
			d.now = d.now.Add(Beat)
			d.count += uint64(200_000 * Beat.Seconds())
		}
		d.begin(t, d.r.Recorder)
		if _, n := d.pass(200_000, time.Second); n > 0 {
			t.Fatalf("%.0f switches were recorded", n)
		}
	}
	d.r.stop()
	d.now, d.count = d.now.Add(time.Minute), d.count+60*200 // quiet meanwhile
	for range 2 {
		d.begin(t, d.r.Recorder)
		d.pass(200, 10*time.Second)
		d.r.stop()
	}
	d.begin(t, d.r.Recorder)
	if !d.r.on {
		t.Error("a quiet process is not recorded after a rest")
	}
}

// What the runtime tells of its scheduler is what the budget counts.
func TestSwitchesAreCounted(t *testing.T) {
	t.Parallel()
	const rounds = 20_000
	read := switches()
	before := read()
	there, back := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(back)
		for range there {
			back <- struct{}{}
		}
	}()
	for range rounds {
		there <- struct{}{}
		<-back
	}
	close(there)
	<-back
	if n := read() - before; n < rounds || n > 20*rounds { // other tests run, too
		t.Errorf("%d switches of about %d", n, 2*rounds)
	}
}

// What a switch costs, with and without a recorder.
func BenchmarkSwitch(b *testing.B) {
	for name, on := range map[string]bool{"off": false, "on": true} {
		b.Run(name, func(b *testing.B) {
			if on {
				fr := newTape(Options{Window: 3 * time.Second, Memory: 8 << 20})
				if err := fr.Start(); err != nil {
					b.Fatal(err)
				}
				defer fr.Stop()
			}
			there, back := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(back)
				for range there {
					back <- struct{}{}
				}
			}()
			for b.Loop() {
				there <- struct{}{}
				<-back
			}
			close(there)
			<-back
		})
	}
}
