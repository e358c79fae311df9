package predict

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// A model's file is a line of text, "stampede-demand VERSION SHA-256", and the JSON of a document, packed by gzip. The sum is over what
// follows the line.
const (
	modelMagic   = "stampede-demand"
	modelVersion = 1
	maxModel     = 1 << 30 // bytes of a document
)

type document struct {
	Options  Options
	State    *state
	Linear   *linear
	Forests  []*forest
	Window   []storedRows
	Halves   []halfLife
	Record   []outcome
	Features []string // by name: trees and weights mean nothing to a program with others
}

// storedRows is a rowset; X is little-endian.
type storedRows struct {
	At     int
	X      []byte
	Y      []float64
	Offset []float64
}

// Encode writes the model.
func (m *Model) Encode(w io.Writer) error {
	doc := document{m.o, m.state, m.linear, m.forests, nil, m.halves, m.record, featureNames(m.state.Horizon)}
	for _, r := range m.window {
		raw := make([]byte, 0, 2*len(r.x))
		for _, v := range r.x {
			raw = binary.LittleEndian.AppendUint16(raw, v)
		}
		doc.Window = append(doc.Window, storedRows{r.at, raw, r.y, r.offset})
	}
	var body bytes.Buffer
	z, _ := gzip.NewWriterLevel(&body, gzip.BestSpeed)
	if err := json.NewEncoder(z).Encode(doc); err != nil {
		return fmt.Errorf("predict: encoding the model: %w", err)
	}
	if err := z.Close(); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%s %d %x\n", modelMagic, modelVersion, sha256.Sum256(body.Bytes())); err != nil {
		return err
	}
	_, err := w.Write(body.Bytes())
	return err
}

// Decode reads what Encode wrote.
func Decode(r io.Reader) (*Model, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxModel))
	if err != nil {
		return nil, err
	}
	line, body, _ := bytes.Cut(raw, []byte("\n"))
	var version int
	var sum string
	name, rest, _ := strings.Cut(string(line[:min(len(line), 200)]), " ")
	if name != modelMagic {
		return nil, fmt.Errorf("%w: this is not a model", ErrModel)
	}
	if _, err := fmt.Sscanf(rest, "%d %64s", &version, &sum); err != nil || version != modelVersion {
		return nil, fmt.Errorf("%w: version %d, known here is %d: train again", ErrModel, version, modelVersion)
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(body)); got != sum {
		return nil, fmt.Errorf("%w: the checksum is wrong: the file is damaged, train again", ErrModel)
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	var doc document
	if err := json.NewDecoder(io.LimitReader(z, maxModel)).Decode(&doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	return doc.model()
}

// model checks that all parts fit each other.
func (d document) model() (*Model, error) {
	bad := func(what string) (*Model, error) { return nil, fmt.Errorf("%w: %s", ErrModel, what) }
	if d.State == nil || d.State.Horizon.check() != nil || d.Linear == nil {
		return bad("parts are missing")
	}
	if d.Options.check() != nil {
		return bad("its options make no sense")
	}
	names := featureNames(d.State.Horizon)
	if strings.Join(names, " ") != strings.Join(d.Features, " ") {
		return bad("it was trained on other features than this program has: train again")
	}
	sc := d.State.Horizon.scales()
	if len(d.Linear.Z) != len(names) || len(d.Linear.N) != len(names) || len(d.Halves) != len(sc.base) || !d.State.fits(sc) {
		return bad("its parts do not fit each other")
	}
	for _, f := range d.Forests {
		if !f.fits(len(names)) {
			return bad("its trees do not fit")
		}
	}
	m := &Model{o: d.Options, state: d.State, linear: d.Linear, forests: d.Forests, halves: d.Halves, record: d.Record}
	for _, r := range d.Window {
		if len(r.X) != 2*len(names)*len(r.Y) || len(r.Offset) != len(r.Y) {
			return bad("its window does not fit")
		}
		x := make([]uint16, len(r.X)/2)
		for i := range x {
			x[i] = binary.LittleEndian.Uint16(r.X[2*i:])
		}
		m.window = append(m.window, rowset{r.At, x, r.Y, r.Offset})
	}
	m.state.link()
	return m, nil
}

func (s *state) fits(sc scales) bool {
	ok := len(s.Total) == len(sc.logs) && len(s.Flow[0]) == contextDim && len(s.Flow[1]) == contextDim
	for _, it := range s.Items {
		ok = ok && it != nil && len(it.Units) == len(sc.units) && len(it.Logs) == len(sc.logs) && len(it.Orders) == len(sc.orders) &&
			len(it.Places) == len(sc.places) && len(it.Base) == len(sc.base) && len(it.Slots) == slots && len(it.Context) == contextDim &&
			len(it.Year) == weeks
	}
	return ok
}

func (f *forest) fits(width int) bool {
	if f == nil {
		return false
	}
	for _, t := range f.Trees {
		if len(t.Feature) == 0 || len(t.Cut) != len(t.Feature) || len(t.Value) != len(t.Feature) {
			return false
		}
		for i, c := range t.Feature {
			if c >= width || c >= 0 && 2*i+2 >= len(t.Feature) {
				return false
			}
		}
	}
	return true
}

// Save writes the model to a file: all of it or nothing.
func (m *Model) Save(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("predict: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err = m.Encode(f); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return fmt.Errorf("predict: %w", err)
	}
	if err = f.Close(); err != nil {
		return fmt.Errorf("predict: %w", err)
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("predict: %w", err)
	}
	if d, err := os.Open(filepath.Dir(path)); err == nil { // so that the name survives a power cut, too
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}

// Load reads a file that Save wrote.
func Load(path string) (*Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	defer func() { _ = f.Close() }()
	m, err := Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}
