package prove

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"
)

//go:embed prices.yaml
var pricesText []byte

// Prices of what a transaction takes.
type Prices struct {
	Currency    string  `yaml:"currency" json:"currency"`
	VCPUHour    float64 `yaml:"vcpu_hour" json:"vcpu_hour"`
	MemoryHour  float64 `yaml:"memory_gib_hour" json:"memory_gib_hour"`
	IOMillion   float64 `yaml:"io_million" json:"io_million"`
	IOKiB       float64 `yaml:"io_kib" json:"io_kib"`
	EgressGiB   float64 `yaml:"egress_gib" json:"egress_gib"`
	Utilisation float64 `yaml:"utilisation" json:"utilisation"`
}

// ErrPrices says what is wrong with a file of prices.
var ErrPrices = errors.New("wrong prices")

// DefaultPrices are typical list prices.
func DefaultPrices() Prices {
	p, err := parsePrices(pricesText)
	if err != nil {
		panic("prove: the prices that ship: " + err.Error()) // a test would have said so
	}
	return p
}

// ReadPrices reads a file like the one that [WritePrices] makes.
func ReadPrices(file string) (Prices, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return Prices{}, err
	}
	p, err := parsePrices(raw)
	if err != nil {
		return p, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

// WritePrices makes a file with the default prices, to be edited, unless there is one.
func WritePrices(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(pricesText)
	return errors.Join(err, f.Close())
}

func parsePrices(raw []byte) (p Prices, err error) {
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(&p); err != nil {
		return p, fmt.Errorf("%w: %w", ErrPrices, err)
	}
	for name, v := range map[string]float64{
		"vcpu_hour": p.VCPUHour, "memory_gib_hour": p.MemoryHour, "io_million": p.IOMillion, "egress_gib": p.EgressGiB,
	} {
		if !(v >= 0 && v < 1e9) {
			return p, fmt.Errorf("%w: %s is %v, it must be 0 or more", ErrPrices, name, v)
		}
	}
	if !(p.Utilisation > 0 && p.Utilisation <= 1) || !(p.IOKiB > 0) {
		return p, fmt.Errorf("%w: utilisation is a share above 0, at most 1; io_kib is above 0", ErrPrices)
	}
	return p, nil
}

const (
	gib  = 1 << 30
	hour = 3600.0
)

// Expenses are what one transaction costs, by what it takes.
type Expenses struct {
	CPU    float64 `json:"cpu"`
	Memory float64 `json:"memory"`
	IO     float64 `json:"io"`
	Egress float64 `json:"egress"`
	Total  float64 `json:"total"`
}

// expenses reckons what each of n transactions costs that took so long and used these resources together.
func (p Prices) expenses(used map[string]Resources, egress int64, seconds float64, n int64) Expenses {
	var sum Resources
	for _, r := range used {
		sum.CPU += r.CPU
		sum.Memory += r.Memory
		sum.Read += r.Read
		sum.Written += r.Written
	}
	each := 1 / float64(max(1, n))
	e := Expenses{
		CPU:    each * sum.CPU / hour * p.VCPUHour / p.Utilisation,
		Memory: each * float64(sum.Memory) / gib * seconds / hour * p.MemoryHour,
		IO:     each * float64(sum.Read+sum.Written) / 1024 / p.IOKiB / 1e6 * p.IOMillion,
		Egress: each * float64(egress) / gib * p.EgressGiB,
	}
	e.Total = e.CPU + e.Memory + e.IO + e.Egress
	return e
}

// PricesFile is the name of the file of prices in a platform's data folder.
const PricesFile = "prices.yaml"

// Machine is what an hour of so many busy processors and bytes of memory costs; reads, writes and egress are not in it.
func (p Prices) Machine(cores, memory float64) float64 {
	return cores*p.VCPUHour/p.Utilisation + memory/gib*p.MemoryHour
}
