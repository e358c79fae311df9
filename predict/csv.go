package predict

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// columns a history must have, by the names in its first line; others are left alone.
var columns = []string{"InvoiceNo", "StockCode", "Quantity", "InvoiceDate"}

// timeForms are how a time may be written. Without a zone it is taken as UTC.
var timeForms = []string{"2006-01-02 15:04:05", time.RFC3339, "2006-01-02 15:04", "2006-01-02"}

const maxQuantity = 1e9 // of a line; more is a slip

// ReadCSV reads sales with the columns InvoiceNo, StockCode, Quantity, InvoiceDate and, if there, Description and UnitPrice, in any
// order. name is for messages. It reads as it goes along.
func ReadCSV(r io.Reader, name string) iter.Seq2[Sale, error] {
	return func(yield func(Sale, error) bool) {
		in := csv.NewReader(r)
		in.ReuseRecord = true
		head, err := in.Read()
		if err != nil {
			yield(Sale{}, fmt.Errorf("%w: %s has no first line with the names of columns: %w", ErrHistory, name, err))
			return
		}
		at, err := indexColumns(head)
		if err != nil {
			yield(Sale{}, fmt.Errorf("%w: %s: %w", ErrHistory, name, err))
			return
		}
		for {
			rec, err := in.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil { // it names the line
				yield(Sale{}, fmt.Errorf("%w: %s: %w", ErrHistory, name, err))
				return
			}
			s, err := at.sale(rec)
			if err != nil {
				line, _ := in.FieldPos(0)
				yield(Sale{}, fmt.Errorf("%w: %s, line %d: %w", ErrHistory, name, line, err))
				return
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// columnIndex is where the columns are; -1 is nowhere.
type columnIndex struct{ invoice, code, quantity, date, name, price int }

func indexColumns(head []string) (columnIndex, error) {
	pos := map[string]int{}
	for i, h := range head {
		pos[strings.TrimSpace(strings.TrimPrefix(h, "\ufeff"))] = i
	}
	for _, c := range columns {
		if _, ok := pos[c]; !ok {
			return columnIndex{}, fmt.Errorf("there is no column %s; needed are %s", c, strings.Join(columns, ", "))
		}
	}
	optional := func(name string) int {
		if i, ok := pos[name]; ok {
			return i
		}
		return -1
	}
	return columnIndex{pos["InvoiceNo"], pos["StockCode"], pos["Quantity"], pos["InvoiceDate"], optional("Description"), optional("UnitPrice")}, nil
}

func (c columnIndex) sale(rec []string) (s Sale, err error) {
	s.Invoice, s.Code = strings.Clone(strings.TrimSpace(rec[c.invoice])), strings.Clone(strings.TrimSpace(rec[c.code]))
	if s.Quantity, err = number(rec[c.quantity], maxQuantity); err != nil {
		return s, fmt.Errorf("column Quantity: %w", err)
	}
	if s.At, err = parseTime(strings.TrimSpace(rec[c.date])); err != nil {
		return s, fmt.Errorf("column InvoiceDate: %w", err)
	}
	if c.name >= 0 {
		s.Name = strings.Clone(strings.TrimSpace(rec[c.name]))
	}
	if c.price >= 0 && strings.TrimSpace(rec[c.price]) != "" {
		if s.Price, err = number(rec[c.price], math.MaxFloat64); err != nil {
			return s, fmt.Errorf("column UnitPrice: %w", err)
		}
	}
	return s, nil
}

func number(text string, most float64) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(v) || math.Abs(v) > most {
		return 0, fmt.Errorf("%q is not a number in range", text)
	}
	return v, nil
}

func parseTime(text string) (time.Time, error) {
	for _, form := range timeForms {
		if t, err := time.Parse(form, text); err == nil && t.Year() >= 1900 && t.Year() <= 9999 {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time such as 2011-08-31 17:45:00", text)
}

// Dir is the Source of a file, or of the files of a folder whose names end in .csv or .csv.gz, in the order of their names.
func Dir(path string) Source {
	return SourceFunc(func(ctx context.Context) iter.Seq2[Sale, error] {
		return func(yield func(Sale, error) bool) {
			files, err := historyFiles(path)
			if err != nil {
				yield(Sale{}, err)
				return
			}
			for _, f := range files {
				for s, err := range readFile(f) {
					if err == nil {
						err = ctx.Err()
					}
					if !yield(s, err) || err != nil {
						return
					}
				}
			}
		}
	})
}

func historyFiles(path string) (files []string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHistory, err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	for _, pattern := range []string{"*.csv", "*.csv.gz"} {
		found, err := filepath.Glob(filepath.Join(path, pattern))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrHistory, err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%w: %s has no files that end in .csv or .csv.gz", ErrHistory, path)
	}
	slices.SortFunc(files, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	return files, nil
}

func readFile(path string) iter.Seq2[Sale, error] {
	return func(yield func(Sale, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(Sale{}, fmt.Errorf("%w: %w", ErrHistory, err))
			return
		}
		defer func() { _ = f.Close() }()
		var r io.Reader = f
		if strings.HasSuffix(path, ".gz") {
			if r, err = gzip.NewReader(f); err != nil {
				yield(Sale{}, fmt.Errorf("%w: %s: %w", ErrHistory, path, err))
				return
			}
		}
		for s, err := range ReadCSV(r, path) {
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}
