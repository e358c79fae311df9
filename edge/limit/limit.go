package limit

import (
	"hash/maphash"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// Limiter decides which requests are too many. It is safe for concurrent use and starts nothing in the background.
type Limiter struct {
	opts    Options
	mode    atomic.Value // Mode
	classes []class      // of ModeOn, then of ModeStrict
	table   *table
	start   time.Time
	m       *metrics
	said    atomic.Int64 // when the last refusal was logged
}

// class is a Class made ready.
type class struct {
	Class
	id       byte
	buckets  [2]pairOf // ModeOn, ModeStrict
	admitted counter
	refused  [2]counter // by address, by session
}

type pairOf struct{ address, session *bucket }

// New makes a limiter.
func New(o Options) (*Limiter, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	l := &Limiter{opts: o, table: newTable(o.MaxClients), start: time.Now()}
	if l.m, err = newMetrics(o.Registerer, l); err != nil {
		return nil, err
	}
	l.mode.Store(o.Mode)
	for i, c := range o.Classes {
		k := class{Class: c, id: byte(i)}
		for j, divide := range [...]int{1, strictFactor} {
			k.buckets[j] = pairOf{newBucket(c.Name, "address", c.Address, divide), newBucket(c.Name, "session", c.Session, divide)}
		}
		k.admitted = l.m.decisions.WithLabelValues(c.Name, "admitted")
		k.refused = [2]counter{l.m.decisions.WithLabelValues(c.Name, "address"), l.m.decisions.WithLabelValues(c.Name, "session")}
		l.classes = append(l.classes, k)
	}
	return l, nil
}

// SetMode changes the mode from now on.
func (l *Limiter) SetMode(m Mode) error {
	if _, err := ParseMode(string(m)); err != nil {
		return err
	}
	l.mode.Store(m)
	return nil
}

// Mode is the mode in force.
func (l *Limiter) Mode() Mode { return l.mode.Load().(Mode) } //nolint:forcetypeassert // nothing else is stored

// Decision is what becomes of a request.
type Decision struct {
	Admitted  bool
	Class     string        // "" if it belongs to none
	By        string        // what refuses it: "address" or "session"
	Remaining int           // how many more would be admitted now, of the tighter limit
	Wait      time.Duration // if refused, after which time it would be admitted

	bucket *bucket // the tighter one, nil if none applies
}

// Decide counts a request and says whether it may pass. It does not allocate.
func (l *Limiter) Decide(r *http.Request) Decision {
	mode := l.Mode()
	if mode == ModeOff {
		return Decision{Admitted: true}
	}
	for i := range l.classes {
		if c := &l.classes[i]; c.Match == nil || c.Match(r) {
			return l.decide(c, r, mode)
		}
	}
	return Decision{Admitted: true}
}

// Admit counts a request of a class by name, of which only who sent it is at hand, as when a cache answers straight
// from the connection, and says whether it may pass. What it refuses should go on to [Limiter.Wrap], which says why.
// An invalid client or an empty session is not limited by that; a class that is unknown not at all.
func (l *Limiter) Admit(name string, client netip.Addr, session string) bool {
	mode := l.Mode()
	if mode == ModeOff {
		return true
	}
	for i := range l.classes {
		if c := &l.classes[i]; c.Name == name {
			return l.count(c, mode, client.Unmap(), session).Admitted
		}
	}
	return true
}

func (l *Limiter) decide(c *class, r *http.Request, mode Mode) Decision {
	session := ""
	if c.Session.Requests > 0 {
		session = l.opts.Session(r)
	}
	return l.count(c, mode, ClientAddr(r, l.opts.TrustedProxies), session)
}

// count asks the buckets of an address and a session.
func (l *Limiter) count(c *class, mode Mode, addr netip.Addr, session string) Decision {
	buckets := c.buckets[0]
	if mode == ModeStrict {
		buckets = c.buckets[1]
	}
	now := int64(time.Since(l.start)) + 1 // monotonic
	d := Decision{Admitted: true, Class: c.Name}
	counts := buckets.address != nil && addr.IsValid() && (mode == ModeStrict || !addr.IsLoopback())
	var byAddress uint64
	if counts {
		byAddress = l.addressKey(c.id, network(addr))
		if !l.ask(&d, byAddress, buckets.address, now, "address") {
			c.refused[0].Inc()
			return d
		}
	}
	if buckets.session != nil && session != "" && !l.ask(&d, l.sessionKey(c.id, session), buckets.session, now, "session") {
		if counts {
			l.table.giveBack(byAddress, buckets.address)
		}
		c.refused[1].Inc()
		return d
	}
	c.admitted.Inc()
	return d
}

// ask takes from one bucket and keeps the tighter of two answers.
func (l *Limiter) ask(d *Decision, key uint64, b *bucket, now int64, by string) bool {
	left, ok, wait := l.table.take(key, b, now)
	if d.bucket == nil || !ok || left < d.Remaining {
		d.bucket, d.Remaining = b, left
	}
	if !ok {
		d.Admitted, d.By, d.Wait = false, by, time.Duration(wait)
	}
	return ok
}

func (l *Limiter) addressKey(class byte, network [16]byte) uint64 {
	var b [17]byte
	b[0] = class
	copy(b[1:], network[:])
	return nonZero(maphash.Bytes(l.table.addresses, b[:]))
}

// sessionKey tells classes apart by an odd factor, which costs less than hashing them along.
func (l *Limiter) sessionKey(class byte, session string) uint64 {
	return nonZero(maphash.String(l.table.sessions, session) + (uint64(class)+1)*0x9e3779b97f4a7c15)
}

func nonZero(k uint64) uint64 {
	if k == 0 {
		return 1
	}
	return k
}
