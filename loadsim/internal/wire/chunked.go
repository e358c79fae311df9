package wire

import "bytes"

// maxLine bounds a chunk's size line and a trailer.
const maxLine = 4 << 10

// chunks reads a chunked body that begins at, moving the pieces together where they are. It returns the body's length and
// where the message ends.
func (cn *Conn) chunks(at int) (length, end int, err error) {
	pos := at
	for {
		line, next, err := cn.line(pos)
		if err != nil {
			return 0, 0, err
		}
		size, ok := parseSize(line)
		if !ok {
			return 0, 0, ErrProtocol
		}
		if size == 0 {
			end, err = cn.trailer(next)
			return length, end, err
		}
		if length+size > cn.client.o.MaxBody {
			return 0, 0, ErrTooLong
		}
		for cn.n < next+size+2 {
			if err := cn.more(); err != nil {
				return 0, 0, err
			}
		}
		b := cn.buf.b
		if b[next+size] != '\r' || b[next+size+1] != '\n' {
			return 0, 0, ErrProtocol
		}
		copy(b[at+length:], b[next:next+size])
		length += size
		pos = next + size + 2
	}
}

// trailer passes over the fields after the last chunk.
func (cn *Conn) trailer(pos int) (end int, err error) {
	for range 64 {
		line, next, err := cn.line(pos)
		if err != nil || len(line) == 0 {
			return next, err
		}
		pos = next
	}
	return 0, ErrProtocol
}

// line reads a line that begins at pos, and returns it without its CR LF, and where the next one begins.
func (cn *Conn) line(pos int) (line []byte, next int, err error) {
	for {
		if i := bytes.IndexByte(cn.buf.b[pos:cn.n], '\n'); i >= 0 {
			return bytes.TrimSuffix(cn.buf.b[pos:pos+i], []byte("\r")), pos + i + 1, nil
		}
		if cn.n-pos > maxLine {
			return nil, 0, ErrProtocol
		}
		if err := cn.more(); err != nil {
			return nil, 0, err
		}
	}
}

// parseSize reads the hexadecimal size of a chunk; extensions after a semicolon mean nothing to us.
func parseSize(line []byte) (n int, ok bool) {
	if i := bytes.IndexByte(line, ';'); i >= 0 {
		line = line[:i]
	}
	line = bytes.TrimRight(line, " \t")
	if len(line) == 0 || len(line) > 7 {
		return 0, false
	}
	for _, c := range line {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | int(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			n = n<<4 | int(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}
