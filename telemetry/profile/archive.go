package profile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// Kind is what a profile is of.
type Kind string

// The kinds.
const (
	CPU  Kind = "cpu"
	Heap Kind = "heap"
)

// ErrNone says that there is no profile of that kind, time and deploy.
var ErrNone = errors.New("profile: there is none")

// Archive is a folder of profiles.
type Archive struct{ Dir string }

// Entry is a profile that was kept.
type Entry struct {
	Kind   Kind      `json:"kind"`
	At     time.Time `json:"at"` // it was begun
	Deploy string    `json:"deploy"`
	Bytes  int64     `json:"bytes"`
	path   string
}

const stamp = "20060102T150405.000Z"

var (
	fileName = regexp.MustCompile(`^(cpu|heap)-(\d{8}T\d{6}\.\d{3}Z)-([A-Za-z0-9._]*)\.pb\.gz$`)
	unsafe   = regexp.MustCompile(`[^A-Za-z0-9._]+`)
)

func nameOf(kind Kind, at time.Time, deploy string) string {
	return fmt.Sprintf("%s-%s-%s.pb.gz", kind, at.UTC().Format(stamp), unsafe.ReplaceAllString(deploy, "_"))
}

// List tells what there is, the oldest first.
func (a Archive) List() ([]Entry, error) {
	files, err := os.ReadDir(a.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []Entry
	for _, f := range files {
		m := fileName.FindStringSubmatch(f.Name())
		info, err := f.Info()
		if m == nil || err != nil { // not ours, or gone meanwhile
			continue
		}
		at, err := time.Parse(stamp, m[2])
		if err != nil {
			continue
		}
		list = append(list, Entry{Kind(m[1]), at, m[3], info.Size(), filepath.Join(a.Dir, f.Name())})
	}
	slices.SortFunc(list, func(a, b Entry) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Kind, b.Kind)) })
	return list, nil
}

// Selection says which profiles: those of a kind that were begun from From, until before To, under Deploy. Zero means any.
type Selection struct {
	Kind     Kind
	From, To time.Time
	Deploy   string
}

func (s Selection) has(e Entry) bool {
	return e.Kind == s.Kind && (s.From.IsZero() || !e.At.Before(s.From)) && (s.To.IsZero() || e.At.Before(s.To)) &&
		(s.Deploy == "" || e.Deploy == unsafe.ReplaceAllString(s.Deploy, "_"))
}

// mostMerged bounds how many profiles are read at once; the newest are.
const mostMerged = 120

// Merge adds up the profiles of a selection and makes them comparable: values are by the second of profiling, or the average for
// what lives in the heap. An [ErrNone] says that there are none.
func (a Archive) Merge(s Selection) (*profile.Profile, error) {
	list, err := a.List()
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(e Entry) bool { return !s.has(e) })
	if over := len(list) - mostMerged; over > 0 {
		list = list[over:]
	}
	var all []*profile.Profile
	for _, e := range list {
		p, err := read(e.path)
		if errors.Is(err, fs.ErrNotExist) { // made room for a newer one
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("profile: %s: %w", filepath.Base(e.path), err)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNone, s)
	}
	merged, err := profile.Merge(all)
	if err != nil {
		return nil, err
	}
	normalise(merged, s.Kind, len(all))
	return merged, nil
}

func (s Selection) String() string {
	parts := []string{"kind " + string(s.Kind)}
	if !s.From.IsZero() {
		parts = append(parts, "from "+s.From.UTC().Format(time.RFC3339))
	}
	if !s.To.IsZero() {
		parts = append(parts, "to "+s.To.UTC().Format(time.RFC3339))
	}
	if s.Deploy != "" {
		parts = append(parts, "deploy "+s.Deploy)
	}
	return strings.Join(parts, ", ")
}

func read(path string) (*profile.Profile, error) {
	f, err := os.Open(path) //nolint:gosec // of our own folder
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return profile.Parse(f)
}

// normalise divides by the seconds of profiling, or by the number of profiles. What is allocated is counted from the start of the
// process, so that profiles of it are averages of a sum: good for shares, and said to be so.
func normalise(p *profile.Profile, kind Kind, n int) {
	by := float64(n)
	if kind == CPU {
		by = time.Duration(p.DurationNanos).Seconds()
		p.DurationNanos = int64(time.Second)
	}
	if by > 0 {
		p.Scale(1 / by)
	}
}

// Diff is what a selection has more than a base, and, as negative values, less: a file of it is what `go tool pprof` shows.
func (a Archive) Diff(s, base Selection) (*profile.Profile, error) {
	now, err := a.Merge(s)
	if err != nil {
		return nil, err
	}
	before, err := a.Merge(base)
	if err != nil {
		return nil, fmt.Errorf("base: %w", err)
	}
	before.Scale(-1)
	return profile.Merge([]*profile.Profile{now, before})
}

// Deploys lists the deploys of which there are profiles, the oldest first, each with the times of its first and last.
func (a Archive) Deploys() ([]Deploy, error) {
	list, err := a.List()
	var out []Deploy
	for _, e := range list {
		i := slices.IndexFunc(out, func(d Deploy) bool { return d.Name == e.Deploy })
		if i < 0 {
			out = append(out, Deploy{e.Deploy, e.At, e.At})
			continue
		}
		out[i].Last = e.At
	}
	return out, err
}

// Deploy is a version of the program that was profiled.
type Deploy struct {
	Name  string    `json:"name"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// prune removes the oldest until all take at most keep bytes.
func (a Archive) prune(keep int64) error {
	list, err := a.List()
	if err != nil {
		return err
	}
	var sum int64
	for _, e := range slices.Backward(list) {
		if sum += e.Bytes; sum > keep {
			err = errors.Join(err, os.Remove(e.path))
		}
	}
	return err
}
