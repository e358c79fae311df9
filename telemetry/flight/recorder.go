package flight

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// ErrNoDir says that a [Recorder] was not told where to write.
var ErrNoDir = errors.New("flight: Options.Dir is not set: name a folder for the traces")

// ErrRuns says that a [Recorder] runs already.
var ErrRuns = errors.New("flight: this recorder runs already: end the first Run")

// Options configure a [Recorder]. Dir has to be set; zero means the default for the rest.
type Options struct {
	Dir    string        // of this process alone; made when it is missing
	Slow   time.Duration // what took longer is a reason to write; default 1 s
	Window time.Duration // before the trigger; default 3 s
	Memory uint64        // bytes of trace that are kept in memory, about; default 8 MiB
	Busy   float64       // switches of goroutines a second, up to which it records all the time; default 10,000
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
	Since time.Time     `json:"since"`              // when recording had begun: after At if nothing had told that this would come
}

// Recorder is a flight recorder with its triggers. Make it with [New] and let it [Recorder.Run]; it is safe for concurrent use.
type Recorder struct {
	o       Options
	wanted  chan Reason
	signs   chan struct{} // something seems to begin
	ready   atomic.Bool   // it runs, and may write again
	usual   usual
	written atomic.Uint64
	runs    atomic.Bool
	budget  *budget // of whoever runs; outlives a rest
}

// New makes the folder.
func New(o Options) (*Recorder, error) {
	if o.Dir == "" {
		return nil, ErrNoDir
	}
	def(&o.Slow, time.Second)
	def(&o.Window, 3*time.Second)
	def(&o.Memory, 8<<20)
	def(&o.Busy, 10_000)
	def(&o.Pause, time.Minute)
	def(&o.Files, 10)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	return &Recorder{o: o, wanted: make(chan Reason, 1), signs: make(chan struct{}, 1)}, nil
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

// Watch is told each [Beat] how many there were in the last second, and their 99th percentile, 0 when they were too few for one. It
// writes a trace when the percentile has jumped: to four times its median of the last minutes, and 50 ms at least. Twice as long as
// usual, or half as many, is a sign that something begins: it is recorded from then on.
func (r *Recorder) Watch(n uint64, p99 time.Duration) {
	median, is := r.usual.look(reading{n, p99})
	if is == nothing || !r.ready.Load() {
		return
	}
	select {
	case r.signs <- struct{}{}:
	default: // it has been told
	}
	if is == jump {
		r.trigger(Reason{At: time.Now(), What: "p99", Took: p99, Usual: median})
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
	r.o.Log.Info("flight record written", "file", name+traceEnd, "what", why.What, "request_id", why.ID, "took", why.Took, "since", why.Since)
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
