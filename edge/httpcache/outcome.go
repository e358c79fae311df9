package httpcache

import (
	"strconv"
	"time"
)

// outcome is a member of Cache-Status (RFC 9211).
type outcome struct {
	hit       bool
	ttl       int64  // seconds of freshness left, with hit
	fwd       string // why the origin was asked
	fwdStatus int
	stored    bool
	collapsed bool
	detail    string // a token
}

func (o outcome) field(name string) string {
	b := append(make([]byte, 0, 64), name...)
	if o.hit {
		b = append(b, "; hit; ttl="...)
		b = strconv.AppendInt(b, o.ttl, 10)
	}
	if o.fwd != "" {
		b = append(append(b, "; fwd="...), o.fwd...)
	}
	if o.fwdStatus != 0 {
		b = strconv.AppendInt(append(b, "; fwd-status="...), int64(o.fwdStatus), 10)
	}
	if o.stored {
		b = append(b, "; stored"...)
	}
	if o.collapsed {
		b = append(b, "; collapsed"...)
	}
	if o.detail != "" {
		b = append(append(b, "; detail="...), o.detail...)
	}
	return string(b)
}

// ttl is how many seconds e stays fresh, negative when it no longer is.
func ttl(e *entry, now int64) int64 {
	d := e.freshUntil() - now
	if d < 0 {
		return -int64((time.Duration(-d) + time.Second - 1) / time.Second)
	}
	return int64(time.Duration(d) / time.Second)
}
