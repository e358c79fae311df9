package loadsim

import (
	"bytes"
	"errors"
	"strconv"
)

// errJSON says that a text is not JSON, or not of the shape that was due.
var errJSON = errors.New("not the JSON that was due")

// scanner walks over JSON without building it: lists of products are most of what a shop sends, and decoding each would
// cost the generator more than the shop. Numbers are not checked for form unless read.
type scanner struct {
	b   []byte
	pos int
}

func (s *scanner) space() {
	for s.pos < len(s.b) {
		switch s.b[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek is the next byte that is not white space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos == len(s.b) {
		return 0
	}
	return s.b[s.pos]
}

func (s *scanner) eat(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.pos++
	return true
}

// text reads a string and returns it without its quotes, escapes left as they are.
func (s *scanner) text() ([]byte, error) {
	if !s.eat('"') {
		return nil, errJSON
	}
	start := s.pos
	for {
		i := bytes.IndexByte(s.b[s.pos:], '"')
		if i < 0 {
			return nil, errJSON
		}
		s.pos += i + 1
		slashes := 0
		for p := s.pos - 2; p >= start && s.b[p] == '\\'; p-- {
			slashes++
		}
		if slashes%2 == 0 {
			return s.b[start : s.pos-1], nil
		}
	}
}

// skip passes over any value. Nesting is bounded by the length of the answer, not by the stack.
func (s *scanner) skip() error {
	depth := 0
	for {
		switch c := s.peek(); c {
		case 0:
			return errJSON
		case '"':
			if _, err := s.text(); err != nil {
				return err
			}
		case '{', '[':
			depth++
			s.pos++
		case '}', ']':
			depth--
			s.pos++
		case ',', ':':
			if depth == 0 {
				return errJSON
			}
			s.pos++
			continue
		default:
			s.word()
		}
		if depth < 0 {
			return errJSON
		}
		if depth == 0 {
			return nil
		}
	}
}

// word reads a number, true, false or null.
func (s *scanner) word() []byte {
	start := s.pos
	for s.pos < len(s.b) {
		switch s.b[s.pos] {
		case ' ', '\t', '\n', '\r', ',', ':', '}', ']', '{', '[', '"':
			return s.b[start:s.pos]
		}
		s.pos++
	}
	return s.b[start:s.pos]
}

func (s *scanner) integer() (int64, error) {
	s.space()
	n, err := strconv.ParseInt(string(s.word()), 10, 64)
	if err != nil {
		return 0, errJSON
	}
	return n, nil
}

// object calls field for each member of an object; field must consume the value.
func (s *scanner) object(field func(name []byte) error) error {
	if !s.eat('{') {
		return errJSON
	}
	if s.eat('}') {
		return nil
	}
	for {
		name, err := s.text()
		if err != nil || !s.eat(':') {
			return errJSON
		}
		if err := field(name); err != nil {
			return err
		}
		if s.eat('}') {
			return nil
		}
		if !s.eat(',') {
			return errJSON
		}
	}
}

// array calls element for each element of an array; element must consume it.
func (s *scanner) array(element func() error) error {
	if !s.eat('[') {
		return errJSON
	}
	if s.eat(']') {
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if s.eat(']') {
			return nil
		}
		if !s.eat(',') {
			return errJSON
		}
	}
}

// end says whether nothing but white space is left.
func (s *scanner) end() bool { return s.peek() == 0 && s.pos == len(s.b) }
