package diagnosis_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/predict/diagnosis"
)

// What was recorded of real platforms while faults were injected is named from the figures alone: a recording holds nothing else, and
// its label is not shown to the Doctor. The limits are what was reached when they were recorded, less a little.
func TestRecordedFaultsAreNamed(t *testing.T) {
	t.Parallel()
	runs, err := diagnosis.Read("testdata")
	if err != nil {
		t.Fatal(err)
	}
	v := diagnosis.Evaluate(runs, diagnosis.Options{})
	if v[0].Recall < 0.7 || v[0].Recall <= v[1].Recall || v[0].Precision <= v[1].Precision {
		t.Errorf("%+v", v)
	}
}

// Without what was measured of the replica, nothing is said of it, whatever the label says.
func TestTheLabelIsNotRead(t *testing.T) {
	t.Parallel()
	at := time.Unix(1e9, 0)
	var samples []diagnosis.Sample
	for i := range 40 {
		samples = append(samples, diagnosis.Sample{At: at.Add(time.Duration(i) * time.Second), Values: well()})
	}
	cause := []diagnosis.Cause{{Component: "replica-1", Fault: diagnosis.Lag, From: 10, To: 30}}
	v := diagnosis.Evaluate([]diagnosis.Recording{diagnosis.Record("well", samples, cause)}, diagnosis.Options{})
	if v[0].Named != 0 || len(v[0].Missed) != 1 {
		t.Errorf("%+v", v[0])
	}
}

// A recording is what was recorded, but for digits.
func TestRecordingsAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := diagnosis.Record("one", []diagnosis.Sample{{At: time.Unix(100, 0).UTC(), Values: map[string]float64{"a": 1.23456, "b": 0}},
		{At: time.Unix(101, 0).UTC(), Values: map[string]float64{"a": 1e-7}}}, []diagnosis.Cause{{Component: "x", Fault: diagnosis.Down, From: 1, To: 2}})
	if err := in.Write(filepath.Join(dir, "one.json.gz")); err != nil {
		t.Fatal(err)
	}
	out, err := diagnosis.Read(dir)
	if err != nil || len(out) != 1 || !reflect.DeepEqual(out[0], in) {
		t.Fatalf("%+v, %v", out, err)
	}
	s := out[0].Samples()
	if len(s) != 2 || s[0].Values["a"] != 1.235 || s[1].Values["a"] != 1e-7 || len(s[1].Values) != 1 {
		t.Errorf("%+v", s)
	}
	if _, err := diagnosis.Read(t.TempDir()); !errors.Is(err, diagnosis.ErrRecording) {
		t.Error(err)
	}
}
