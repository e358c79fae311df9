package alert

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fickle answers with errors first, and remembers what it was told and when.
type fickle struct {
	mu    sync.Mutex
	errs  []error
	hang  bool
	got   []string
	times []time.Duration
	begun time.Time
}

func (f *fickle) String() string { return "fickle" }

func (f *fickle) Notify(ctx context.Context, n Notification) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.times = append(f.times, time.Since(f.begun))
	if f.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return err
	}
	f.got = append(f.got, n.Group)
	return nil
}

func TestDeliveryIsRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("down")
		f := &fickle{errs: []error{down, down, down}, begun: time.Now()}
		other := &fickle{begun: time.Now()}
		d := NewDispatcher(DispatcherOptions{}, f, other)
		defer d.Close()
		d.Send(Notification{Group: "a"})
		d.Send(Notification{Group: "b"})
		time.Sleep(time.Minute)
		synctest.Wait()
		if want := []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 7 * time.Second}; !slices.Equal(f.times, want) || !slices.Equal(f.got, []string{"a", "b"}) {
			t.Errorf("tried at %v, told %v", f.times, f.got)
		}
		if !slices.Equal(other.got, []string{"a", "b"}) || other.times[1] != 0 {
			t.Errorf("the other was held up: %v", other.times)
		}
		if got := d.Deliveries()[0]; got != (Delivery{To: "fickle", Sent: 2}) {
			t.Errorf("%+v", got)
		}
	})
}

func TestDeliveryIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fickle{errs: []error{Permanent(errors.New("no such channel")), errors.New("1"), errors.New("2"), errors.New("3")}, begun: time.Now()}
		d := NewDispatcher(DispatcherOptions{Tries: 2}, f)
		defer d.Close()
		d.Send(Notification{Group: "wrong"})
		d.Send(Notification{Group: "failing"})
		d.Send(Notification{Group: "fine"})
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := d.Deliveries()[0]; got != (Delivery{To: "fickle", Sent: 1, Failed: 2}) || len(f.times) != 5 {
			t.Errorf("%+v after %d tries", got, len(f.times))
		}
	})
}

// A notifier that hangs is cut off at each deadline, its queue is bounded, and the end does not wait for it.
func TestANotifierThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fickle{hang: true, begun: time.Now()}
		d := NewDispatcher(DispatcherOptions{Queue: 3, Tries: 2}, f)
		for range 10 {
			d.Send(Notification{Group: "x"})
			synctest.Wait()
		}
		if got := d.Deliveries()[0]; got.Waiting != 3 || got.Dropped != 6 {
			t.Errorf("%+v", got)
		}
		time.Sleep(25 * time.Second) // two tries of 10 s, a pause of 1 s
		synctest.Wait()
		if got := d.Deliveries()[0]; got.Failed != 1 || len(f.times) != 3 {
			t.Errorf("%+v after %v", got, f.times)
		}
		begun := time.Now()
		d.Close()
		d.Close()
		if took := time.Since(begun); took != 0 {
			t.Errorf("closing took %v", took)
		}
	})
}

// From samples to somebody who was told, and told once.
func TestEngineTellsThroughTheDispatcher(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fickle{begun: time.Now()}
		d := NewDispatcher(DispatcherOptions{}, f)
		defer d.Close()
		e := engine(t, Options{Rules: []Rule{lagRule(2*time.Second, 2*time.Second)}, Notify: d.Send})
		for i := range 60 {
			e.Observe(time.Now(), map[string]float64{"lag": float64(i % 30)}) // beyond the limit from 6 on
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if !slices.Equal(f.got, []string{"data"}) {
			t.Errorf("told %v", f.got)
		}
	})
}
