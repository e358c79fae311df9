package diagnosis

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrRecording says that a file is no recording; the error names it.
var ErrRecording = errors.New("diagnosis: bad recording")

// Cause is what was injected while a recording was made, in seconds since its start.
type Cause struct {
	Component string  `json:"component"`
	Fault     string  `json:"fault"`
	From      float64 `json:"from"`
	To        float64 `json:"to"`
}

// Recording is a run of a platform: what was measured, and what was wrong. Figures have four digits; one that was not known is nil.
type Recording struct {
	Name    string                `json:"name"`
	Started time.Time             `json:"started"`
	Note    string                `json:"note,omitempty"`
	Causes  []Cause               `json:"causes"` // none: a quiet run
	Times   []float64             `json:"times"`
	Values  map[string][]*float64 `json:"values"`
}

// Record makes a recording of samples.
func Record(name string, samples []Sample, causes []Cause) Recording {
	r := Recording{Name: name, Causes: causes, Values: map[string][]*float64{}}
	if len(samples) == 0 {
		return r
	}
	r.Started = samples[0].At
	for i, s := range samples {
		r.Times = append(r.Times, math.Round(100*s.At.Sub(r.Started).Seconds())/100)
		for name, v := range s.Values {
			if r.Values[name] == nil {
				r.Values[name] = make([]*float64, len(samples))
			}
			short := rounded(v)
			r.Values[name][i] = &short
		}
	}
	return r
}

// rounded keeps four digits.
func rounded(v float64) float64 {
	if v == 0 || v-v != 0 {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}

// Samples are what was measured, in order.
func (r Recording) Samples() []Sample {
	list := make([]Sample, len(r.Times))
	for i, t := range r.Times {
		list[i] = Sample{At: r.Started.Add(time.Duration(t * float64(time.Second))), Values: map[string]float64{}}
		for name, column := range r.Values {
			if i < len(column) && column[i] != nil {
				list[i].Values[name] = *column[i]
			}
		}
	}
	return list
}

// Write writes the recording, compressed.
func (r Recording) Write(path string) error {
	f, err := os.Create(path) //nolint:gosec // the caller's file
	if err != nil {
		return err
	}
	z, _ := gzip.NewWriterLevel(f, gzip.BestCompression) // the level is one
	err = json.NewEncoder(z).Encode(r)
	return errors.Join(err, z.Close(), f.Close())
}

const maxRecording = 64 << 20 // bytes, uncompressed

// Read reads the recordings of a folder: files *.json.gz.
func Read(dir string) (list []Recording, err error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json.gz"))
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("%w: there are no files *.json.gz in %s", ErrRecording, dir)
	}
	for _, path := range paths {
		if err != nil {
			break
		}
		var r Recording
		r, err = readFile(path)
		list = append(list, r)
	}
	return list, err
}

func readFile(path string) (r Recording, err error) {
	f, err := os.Open(path) //nolint:gosec // the caller's file
	if err != nil {
		return r, err
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err == nil {
		err = json.NewDecoder(io.LimitReader(z, maxRecording)).Decode(&r)
	}
	if err != nil {
		return r, fmt.Errorf("%w: %s: %w", ErrRecording, path, err)
	}
	if r.Name == "" {
		r.Name = strings.TrimSuffix(filepath.Base(path), ".json.gz")
	}
	return r, nil
}
