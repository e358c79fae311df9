package profile

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"sync/atomic"
	"time"
)

// ErrNoDir says that a [Profiler] was not told where to keep profiles.
var ErrNoDir = errors.New("profile: Options.Dir is not set: name a folder for the profiles")

// Options configure a [Profiler]. Dir has to be set; zero means the default for the rest.
type Options struct {
	Dir    string        // of this process alone; made when it is missing
	Deploy string        // names the version of the program; default what it was built from
	Every  time.Duration // from one CPU profile to the next; default 1 min
	CPU    time.Duration // of a CPU profile; default 5 s
	Keep   int64         // bytes in Dir; default 64 MiB
	Log    *slog.Logger  // hears what goes wrong; nil discards
}

// Profiler profiles its process. Make it with [New] and let it [Profiler.Run].
type Profiler struct {
	o     Options
	slot  chan struct{} // whoever has put something in may take a CPU profile
	yield chan struct{} // asks the profile under way to end
	taken atomic.Uint64
	busy  atomic.Uint64
}

// New makes the folder.
func New(o Options) (*Profiler, error) {
	if o.Dir == "" {
		return nil, ErrNoDir
	}
	def(&o.Deploy, Build())
	def(&o.Every, time.Minute)
	def(&o.CPU, 5*time.Second)
	def(&o.Keep, 64<<20)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	return &Profiler{o: o, slot: make(chan struct{}, 1), yield: make(chan struct{}, 1)}, nil
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Build names what the program was built from: the commit, with the time of the binary where that says nothing.
func Build() string {
	info, ok := debug.ReadBuildInfo()
	rev, dirty := "", false
	if ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				rev = s.Value[:min(12, len(s.Value))]
			case "vcs.modified":
				dirty = s.Value == "true"
			}
		}
	}
	if rev != "" && !dirty {
		return rev
	}
	if path, err := os.Executable(); err == nil {
		if st, err := os.Stat(path); err == nil {
			return rev + "t" + st.ModTime().UTC().Format("20060102150405")
		}
	}
	return rev
}

// Archive is where the profiles are.
func (p *Profiler) Archive() Archive { return Archive{p.o.Dir} }

// Counts are how many profiles were taken, and how many were not because somebody else was profiling.
func (p *Profiler) Counts() (taken, busy uint64) { return p.taken.Load(), p.busy.Load() }

// Run profiles until ctx ends. Processes that start together do not profile at the same time.
func (p *Profiler) Run(ctx context.Context) {
	wait := rand.N(p.o.Every) //nolint:gosec // spreads work
	for {
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		begun := time.Now()
		p.round(ctx)
		wait = max(0, p.o.Every-time.Since(begun))
	}
}

func (p *Profiler) round(ctx context.Context) {
	at := time.Now()
	raw, err := p.cpu(ctx)
	switch {
	case errors.Is(err, errBusy):
		p.busy.Add(1)
	case err != nil:
		p.o.Log.Warn("no CPU profile", "error", err)
	default:
		p.keep(CPU, at, raw)
	}
	if ctx.Err() != nil {
		return
	}
	var heap bytes.Buffer
	if err := pprof.Lookup("heap").WriteTo(&heap, 0); err != nil {
		p.o.Log.Warn("no heap profile", "error", err)
		return
	}
	p.keep(Heap, time.Now(), heap.Bytes())
}

var errBusy = errors.New("somebody else takes a CPU profile")

func (p *Profiler) cpu(ctx context.Context) ([]byte, error) {
	select {
	case p.slot <- struct{}{}:
	default:
		return nil, errBusy
	}
	defer func() { <-p.slot }()
	select {
	case <-p.yield: // asked for while nothing ran
	default:
	}
	var buf bytes.Buffer
	if err := pprof.StartCPUProfile(&buf); err != nil {
		return nil, errBusy // by another way than Yield
	}
	t := time.NewTimer(p.o.CPU)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-p.yield:
	case <-t.C:
	}
	pprof.StopCPUProfile()
	return buf.Bytes(), nil
}

// Yield lets f take CPU profiles: the one under way ends early, and none is begun until f is done. It waits until that is so, or ctx
// ends.
func (p *Profiler) Yield(ctx context.Context, f func()) error {
	for {
		select {
		case p.yield <- struct{}{}:
		default:
		}
		t := time.NewTimer(50 * time.Millisecond) // the profile may have begun after it was asked to end
		select {
		case p.slot <- struct{}{}:
			t.Stop()
			defer func() { <-p.slot }()
			f()
			return nil
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

// keep writes a profile and makes room.
func (p *Profiler) keep(kind Kind, at time.Time, raw []byte) {
	path := filepath.Join(p.o.Dir, nameOf(kind, at, p.o.Deploy))
	err := os.WriteFile(path+".new", raw, 0o644)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err = errors.Join(err, p.Archive().prune(p.o.Keep)); err != nil {
		p.o.Log.Warn("profile not kept", "error", err)
		return
	}
	p.taken.Add(1)
}
