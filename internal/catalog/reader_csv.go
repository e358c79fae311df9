package catalog

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/internal/shop"
)

var errBufferFull = bufio.ErrBufferFull

// bounded fails when a record takes more bytes than it may; allow is called before each record.
type bounded struct {
	in   io.Reader
	left int
}

func (b *bounded) allow() { b.left = MaxRecord }

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.in.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// readCSV reads a header row and records; each record must have as many cells as the header.
func (r *Reader) readCSV(yield func(shop.CatalogItem) bool) error {
	limit := &bounded{in: r.in}
	limit.allow()
	in := csv.NewReader(limit)
	in.FieldsPerRecord, in.ReuseRecord = -1, true
	first, err := in.Read()
	if err != nil {
		return fmt.Errorf("catalog: header row: %w", err)
	}
	names, at, err := header(first)
	if err != nil {
		return err
	}
	for {
		limit.allow()
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var syntax *csv.ParseError
		if errors.As(err, &syntax) {
			r.reject(Bad{Line: syntax.StartLine, Reason: "is not CSV: " + syntax.Err.Error()})
			continue
		}
		if err != nil {
			return fmt.Errorf("catalog: %w", err)
		}
		line, _ := in.FieldPos(0)
		if len(record) != len(first) {
			r.reject(Bad{Line: line, Reason: fmt.Sprintf("has %d cells, the header has %d", len(record), len(first))})
			continue
		}
		if err := r.offer(line, names, func(name string) cell { return cell{text: record[at[name]]} }, yield); err != nil {
			return err
		}
	}
}

func header(row []string) (names []string, at map[string]int, err error) {
	at = make(map[string]int, len(row))
	for i, cell := range row {
		name := strings.ToLower(strings.TrimSpace(cell))
		if _, twice := at[name]; twice {
			return nil, nil, fmt.Errorf("catalog: header row: column %q stands there twice", name)
		}
		at[name] = i
		names = append(names, name)
	}
	for _, name := range required {
		if !slices.Contains(names, name) {
			return nil, nil, fmt.Errorf("catalog: header row: column %q is missing", name)
		}
	}
	return names, at, nil
}
