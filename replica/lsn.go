package replica

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ErrBadLSN means that a text is not a write-ahead log position.
var ErrBadLSN = errors.New("replica: not an LSN")

// LSN is a position in PostgreSQL's write-ahead log, in bytes from its beginning.
type LSN uint64

// MaxLSN is further than any replica gets: only the primary has seen it.
const MaxLSN LSN = math.MaxUint64

// ParseLSN reads PostgreSQL's form, two hexadecimal numbers of at most 32 bits: "0/16B3748".
func ParseLSN(s string) (LSN, error) {
	high, low, ok := strings.Cut(s, "/")
	if !ok {
		return 0, fmt.Errorf("%w: %q", ErrBadLSN, s)
	}
	h, err1 := strconv.ParseUint(high, 16, 32)
	l, err2 := strconv.ParseUint(low, 16, 32)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("%w: %q", ErrBadLSN, s)
	}
	return LSN(h<<32 | l), nil
}

// String is PostgreSQL's form.
func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l)) }

// settle turns where the next record begins into where the last one may have ended. At the beginning of a page the two differ by
// the page's header, and a replica of an idle primary would seem to be behind for ever.
func (l LSN) settle() LSN {
	const page, header = 8192, 24
	if l%page == header {
		return l - header
	}
	return l
}
