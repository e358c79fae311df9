package waf

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Mode says what happens to a request that the rules object to.
type Mode string

// Modes. The zero value of Options means ModeBlock.
const (
	ModeOff    Mode = "off"    // nothing is inspected
	ModeDetect Mode = "detect" // inspected, logged and counted, passed on
	ModeBlock  Mode = "block"  // answered with a problem
)

// ParseMode reads a mode as it is written on a command line.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case ModeOff, ModeDetect, ModeBlock:
		return m, nil
	}
	return "", fmt.Errorf("waf: mode %q: it must be off, detect or block", s)
}

// Profile is the set of exclusions that suits what is behind.
type Profile string

const (
	// ProfileShop knows the calls of the Stampede API and storefront: which fields carry prose, markup, opaque tokens.
	ProfileShop Profile = "shop"
	// ProfilePlain is the rule set with nothing taken out, for any other origin.
	ProfilePlain Profile = "plain"
)

// Options configure a [WAF]; the zero value blocks with the rule set at paranoia level 1 and the shop's exclusions.
type Options struct {
	Mode    Mode    // default ModeBlock
	Profile Profile // default ProfileShop
	// Paranoia is the rule set's paranoia level, 1 to 4. Default 1; more finds more, and more that is none.
	Paranoia int
	// Files are rule files of your own (SecLang). One with "before" in its name is read before the rule set, where
	// ctl: exclusions belong; the others after it, where SecRuleRemoveById and your own rules belong.
	Files []string

	// MaxBodyBytes bounds a request's body; a larger one gets 413. Default 1 MiB.
	MaxBodyBytes int64
	// BodyMemory bounds what all bodies under inspection of more than 16 KiB take together; beyond it requests with such a
	// body get 503. Default 256 MiB.
	BodyMemory int64
	// MaxValues bounds how many distinct texts one request may carry (numbers and repetitions do not count): inspecting
	// a text costs. Default 2000; beyond it 413.
	MaxValues int
	// MaxTextBytes bounds the distinct text of one request's values, of which a KiB takes milliseconds. Default 64 KiB;
	// beyond it 413.
	MaxTextBytes int
	// HeavyWait bounds how long a request with more than 8 KiB of text waits for its turn: at most half of the
	// processors inspect such at once, so that they cannot take all. Default 2 s; then 503.
	HeavyWait time.Duration
	// CleanEntries bounds the memory of parts that were found clean, 16 bytes each and about 60 with bookkeeping.
	// Default 65,536; negative switches the fast path off, so that each request is inspected as one.
	CleanEntries int

	// TokenCookies carry opaque tokens that the origin verifies by itself: a value of letters, digits and ._~=- alone
	// is not inspected, anything else in them is. Default "sid" with ProfileShop, none otherwise.
	TokenCookies []string
	// BatchPath is the path of a call whose body is {"requests":[{"method","path","body"}]}: each is inspected as if
	// sent alone, and those that are objected to are refused alone: see [HeaderRefused]. Default "/batch" with ProfileShop, none otherwise.
	BatchPath string
	// Skip lets a request pass without inspection. nil inspects all.
	Skip func(*http.Request) bool
	// Refuse answers a blocked request in words of its own, such as a page, and tells whether it did. If not, and when it is nil, the
	// answer is a problem document with that status and detail.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, detail string) bool

	// Registerer receives the metrics; nil means no metrics.
	Registerer prometheus.Registerer
	// Log receives a line for each request that the rules object to; nil means nothing is logged.
	Log *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	def(&o.Mode, ModeBlock)
	def(&o.Profile, ProfileShop)
	def(&o.Paranoia, 1)
	def(&o.MaxBodyBytes, 1<<20)
	def(&o.BodyMemory, 256<<20)
	def(&o.MaxValues, 2000)
	def(&o.MaxTextBytes, 64<<10)
	def(&o.CleanEntries, 1<<16)
	def(&o.HeavyWait, 2*time.Second)
	if o.Profile == ProfileShop {
		def(&o.BatchPath, "/batch")
		if o.TokenCookies == nil {
			o.TokenCookies = []string{"sid"}
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if _, err := ParseMode(string(o.Mode)); err != nil {
		return o, err
	}
	switch {
	case o.Profile != ProfileShop && o.Profile != ProfilePlain:
		return o, fmt.Errorf("waf: Profile %q: it must be shop or plain", o.Profile)
	case o.Paranoia < 1 || o.Paranoia > 4:
		return o, fmt.Errorf("waf: Paranoia is %d: it must be 1 to 4", o.Paranoia)
	case o.MaxBodyBytes < 0 || o.BodyMemory < 0 || o.MaxValues < 0 || o.MaxTextBytes < 0 || o.HeavyWait < 0:
		return o, errors.New("waf: MaxBodyBytes, BodyMemory, MaxValues, MaxTextBytes and HeavyWait must not be negative")
	}
	return o, nil
}

// def sets *v to d when it is the zero value.
func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
