package loadsim

import (
	"net/http"
	"time"
)

// jar holds the cookies of one session with one shop: what a browser keeps, without domains and paths.
type jar struct {
	names, values []string
}

// maxCookies bounds what a shop can make us keep.
const maxCookies = 32

func (j *jar) clear() { j.names, j.values = j.names[:0], j.values[:0] }

// take notes what a Set-Cookie line sets or deletes.
func (j *jar) take(line string) {
	c, err := http.ParseSetCookie(line)
	if err != nil {
		return
	}
	gone := c.MaxAge < 0 || !c.Expires.IsZero() && c.MaxAge == 0 && c.Expires.Before(time.Now())
	j.set(c.Name, c.Value, gone)
}

func (j *jar) set(name, value string, gone bool) {
	for i := range j.names {
		if j.names[i] != name {
			continue
		}
		if gone {
			j.names = append(j.names[:i], j.names[i+1:]...)
			j.values = append(j.values[:i], j.values[i+1:]...)
		} else {
			j.values[i] = value
		}
		return
	}
	if !gone && len(j.names) < maxCookies {
		j.names, j.values = append(j.names, name), append(j.values, value)
	}
}

// append appends the value of the Cookie header.
func (j *jar) append(b []byte) []byte {
	for i, name := range j.names {
		if i > 0 {
			b = append(b, "; "...)
		}
		b = append(b, name...)
		b = append(b, '=')
		b = append(b, j.values[i]...)
	}
	return b
}
