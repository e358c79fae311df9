package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/stampede-shop/stampede/internal/shop"
)

var errTooLong = fmt.Errorf("catalog: a record has more than %d bytes", MaxRecord)

// readLines reads one JSON object a line. A line that is too long is a bad record; the next one is read again.
func (r *Reader) readLines(yield func(shop.CatalogItem) bool) error {
	for line := 1; ; line++ {
		raw, err := r.line()
		if errors.Is(err, errTooLong) {
			r.reject(Bad{Line: line, Reason: fmt.Sprintf("has more than %d bytes", MaxRecord)})
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("catalog: line %d: %w", line, err)
		}
		if raw = bytes.TrimSpace(raw); len(raw) > 0 {
			if err := r.object(line, raw, yield); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// line reads up to the next newline, or to the end with io.EOF.
func (r *Reader) line() ([]byte, error) {
	var long []byte
	over := false
	for {
		part, err := r.in.ReadSlice('\n')
		if over = over || len(long)+len(part) > MaxRecord; over {
			long = nil
		} else if len(long) > 0 || err != nil {
			long = append(long, part...)
		} else {
			return part, nil // the usual case: it lies in the buffer, until the next read
		}
		switch {
		case err == nil && over:
			return nil, errTooLong
		case err == nil:
			return long, nil
		case errors.Is(err, io.EOF) && over:
			return nil, errTooLong // the next call finds the end
		case !errors.Is(err, errBufferFull):
			return long, err
		}
	}
}

// object reads one JSON object as a record.
func (r *Reader) object(line int, raw []byte, yield func(shop.CatalogItem) bool) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil || fields == nil {
		reason := "must be a JSON object"
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			reason = "is not JSON: " + syntax.Error()
		}
		r.reject(Bad{Line: line, Reason: reason})
		return nil
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return r.offer(line, names, func(name string) cell { return cell{string(fields[name]), true} }, yield)
}

// readArray reads the elements of one JSON array. An element that is not JSON but whose brackets and quotes are even is a
// bad record like any other.
func (r *Reader) readArray(yield func(shop.CatalogItem) bool) error {
	s := splitter{r: r, line: 1}
	if c, err := s.skipSpace(); err != nil || c != '[' {
		return fmt.Errorf("catalog: line %d: a JSON file must be one array of objects", s.line)
	}
	for {
		line, raw, last, err := s.element()
		if err != nil {
			return err
		}
		if len(raw) > 0 {
			if err := r.object(line, raw, yield); err != nil {
				return err
			}
		} else if !last {
			r.reject(Bad{Line: line, Reason: "is empty: two commas in a row"})
		}
		if last {
			if _, err := s.skipSpace(); !errors.Is(err, io.EOF) {
				return fmt.Errorf("catalog: line %d: something follows the end of the array", s.line)
			}
			return nil
		}
	}
}

// splitter cuts an array into its elements.
type splitter struct {
	r    *Reader
	line int
}

func (s *splitter) next() (byte, error) {
	c, err := s.r.in.ReadByte()
	if c == '\n' && err == nil {
		s.line++
	}
	return c, err
}

func (s *splitter) skipSpace() (byte, error) {
	for {
		c, err := s.next()
		if err != nil || c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, err
		}
	}
}

// element returns the next element without space around it, the line it begins on, and whether the array ends after it.
func (s *splitter) element() (line int, raw []byte, last bool, err error) {
	depth, inText, escaped := 0, false, false
	c, err := s.skipSpace()
	for line = s.line; ; c, err = s.next() {
		if err != nil {
			return line, nil, false, fmt.Errorf("catalog: the array ends within the record of line %d: %w", line, err)
		}
		if !inText && depth == 0 && (c == ',' || c == ']') {
			return line, bytes.TrimSpace(raw), c == ']', nil
		}
		if len(raw) >= MaxRecord {
			return line, nil, false, fmt.Errorf("line %d: %w", line, errTooLong)
		}
		raw = append(raw, c)
		switch {
		case escaped:
			escaped = false
		case inText:
			escaped, inText = c == '\\', c != '"'
		case c == '"':
			inText = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
}
