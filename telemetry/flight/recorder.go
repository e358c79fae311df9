package flight

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/trace"
	"sync/atomic"
	"time"
)

// ErrNoDir says that a [Recorder] was not told where to write.
var ErrNoDir = errors.New("flight: Options.Dir is not set: name a folder for the traces")

// Options configure a [Recorder]. Dir has to be set; zero means the default for the rest.
type Options struct {
	Dir    string        // of this process alone; made when it is missing
	Slow   time.Duration // what took longer is a reason to write; default 1 s
	Window time.Duration // before the trigger; default 3 s
	Memory uint64        // bytes of trace that are kept in memory, about; default 8 MiB
	Pause  time.Duration // between two files at least; default 1 min
	Files  int           // that are kept; default 10
	Log    *slog.Logger  // nil discards
}

// Reason is why a trace was written.
type Reason struct {
	At    time.Time     `json:"at"`
	What  string        `json:"what"`               // such as the route, or the percentile
	ID    string        `json:"id,omitempty"`       // of the request
	Took  time.Duration `json:"took_ns"`            //
	Usual time.Duration `json:"usual_ns,omitempty"` // of a percentile
}

// Recorder is a flight recorder with its triggers. Make it with [New] and let it [Recorder.Run]; it is safe for concurrent use.
type Recorder struct {
	o       Options
	wanted  chan Reason
	ready   atomic.Bool // it runs, and may write again
	usual   usual
	written atomic.Uint64
}

// New makes the folder.
func New(o Options) (*Recorder, error) {
	if o.Dir == "" {
		return nil, ErrNoDir
	}
	def(&o.Slow, time.Second)
	def(&o.Window, 3*time.Second)
	def(&o.Memory, 8<<20)
	def(&o.Pause, time.Minute)
	def(&o.Files, 10)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	return &Recorder{o: o, wanted: make(chan Reason, 1)}, nil
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Slow is from which time on Observe writes: callers may save themselves the call below it.
func (r *Recorder) Slow() time.Duration { return r.o.Slow }

// Observe is told how long something took, and writes a trace if that is too long and none was written a moment ago.
func (r *Recorder) Observe(what, id string, took time.Duration) {
	if took < r.o.Slow || !r.ready.Load() {
		return
	}
	r.trigger(Reason{At: time.Now(), What: what, ID: id, Took: took})
}

// Watch is told the 99th percentile of the last seconds, about once a second, and writes a trace when it has jumped: to four times its
// median of the last minutes, and 50 ms at least.
func (r *Recorder) Watch(p99 time.Duration) {
	if usual, jumped := r.usual.jumped(p99); jumped && r.ready.Load() {
		r.trigger(Reason{At: time.Now(), What: "p99", Took: p99, Usual: usual})
	}
}

// Trigger writes a trace now, unless one is being written or was a moment ago; it tells whether it will.
func (r *Recorder) Trigger(what string) bool {
	return r.ready.Load() && r.trigger(Reason{At: time.Now(), What: what})
}

func (r *Recorder) trigger(why Reason) bool {
	select {
	case r.wanted <- why:
		return true
	default:
		return false
	}
}

// Run records until ctx ends. An error says that recording could not begin, because something else has the recorder.
func (r *Recorder) Run(ctx context.Context) error {
	fr := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: r.o.Window, MaxBytes: r.o.Memory})
	if err := fr.Start(); err != nil {
		return fmt.Errorf("flight: %w", err)
	}
	defer fr.Stop()
	r.ready.Store(true)
	defer r.ready.Store(false)
	for {
		select {
		case <-ctx.Done():
			return nil
		case why := <-r.wanted:
			r.ready.Store(false)
			r.write(fr, why)
		}
		t := time.NewTimer(r.o.Pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
		select {
		case <-r.wanted: // came in between; it is an old story by now
		default:
		}
		r.ready.Store(true)
	}
}

func (r *Recorder) write(fr io.WriterTo, why Reason) {
	name := "flight-" + why.At.UTC().Format(stamp)
	path := filepath.Join(r.o.Dir, name)
	err := writeFile(path+traceEnd, func(w io.Writer) error { _, err := fr.WriteTo(w); return err })
	if err == nil {
		err = writeFile(path+reasonEnd, func(w io.Writer) error { return json.NewEncoder(w).Encode(why) })
	}
	if err = errors.Join(err, r.Archive().prune(r.o.Files)); err != nil {
		r.o.Log.Warn("flight record not kept", "error", err)
		return
	}
	r.written.Add(1)
	r.o.Log.Info("flight record written", "file", name+traceEnd, "what", why.What, "request_id", why.ID, "took", why.Took)
}

// writeFile writes a file as a whole or not at all.
func writeFile(path string, fill func(io.Writer) error) error {
	f, err := os.Create(path + ".new") //nolint:gosec // in our own folder
	if err != nil {
		return err
	}
	if err := errors.Join(fill(f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path+".new"))
	}
	return os.Rename(path+".new", path)
}

// Archive is where the files are.
func (r *Recorder) Archive() Archive { return Archive{r.o.Dir} }

// Written is how many traces were written.
func (r *Recorder) Written() uint64 { return r.written.Load() }
