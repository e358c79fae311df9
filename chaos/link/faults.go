package link

import (
	"context"
	"time"

	"github.com/stampede-shop/stampede/chaos"
)

// Names of the faults.
const (
	SlowFault     = "link-slow"
	LossFault     = "link-loss"
	NarrowFault   = "link-narrow"
	StallFault    = "link-stall"
	CutFault      = "link-cut"
	HalfOpenFault = "link-half-open"
)

const limit = 5 * time.Minute

// Faults are those of the links in s, which end with this process.
func (s *Set) Faults() []chaos.Fault {
	latency := chaos.Param{Name: "latency", About: "how much later bytes arrive", Kind: chaos.Duration, Default: "50ms"}
	jitter := chaos.Param{Name: "jitter", About: "up to so much more, at random", Kind: chaos.Duration}
	loss := chaos.Param{Name: "loss", About: "share of packets that are lost and sent again, at most 0.9", Kind: chaos.Share, Default: "1%"}
	width := chaos.Param{Name: "bandwidth", About: "bytes a second", Kind: chaos.Size, Default: "64KiB"}
	direction := chaos.Param{Name: "direction", About: "up (questions), down (answers), or both when not given"}
	list := []chaos.Fault{
		{Name: SlowFault, About: "bytes on a link arrive later", Params: []chaos.Param{latency, jitter, direction}},
		{Name: LossFault, About: "a link loses packets, which arrive when they were sent again", Params: []chaos.Param{loss, direction}},
		{Name: NarrowFault, About: "a link carries few bytes a second", Params: []chaos.Param{width, direction}},
		{Name: StallFault, About: "nothing arrives on a link, and nobody is told; what was sent arrives when it heals", Params: []chaos.Param{direction}},
		{Name: CutFault, About: "connections on a link break, and none can be made"},
		{Name: HalfOpenFault, About: "the far ends of connections are gone without a word"},
	}
	common := []chaos.Param{
		{Name: "link", About: "the link, like api:redis; patterns like *:nats, several separated by commas", Required: true},
		{Name: "share", About: "share of the connections that are hit", Kind: chaos.Share, Default: "1"},
		{Name: "label", About: "hit connections of this label alone: of PostgreSQL, the database, like shard1"},
	}
	for i := range list {
		f := &list[i]
		name := f.Name
		f.Params = append(common[:len(common):len(common)], f.Params...)
		f.Blast, f.Limit = "whoever talks over the link, or the share of its connections that is named", limit
		f.Available = s.available
		f.Plan = func(_ context.Context, v chaos.Values) (chaos.Plan, error) { return s.plan(name, v) }
	}
	return list
}

func (s *Set) available(context.Context) error {
	if len(s.Names()) == 0 {
		return errNoLinks
	}
	return nil
}

func (s *Set) plan(name string, v chaos.Values) (chaos.Plan, error) {
	e := Effect{Direction: Direction(v.Text("direction")), Share: v.Share("share"), Label: v.Text("label")}
	if e.Direction == "both" {
		e.Direction = Both
	}
	switch name {
	case SlowFault:
		e.Latency, e.Jitter = v.Duration("latency"), v.Duration("jitter")
	case LossFault:
		e.Loss = v.Share("loss")
	case NarrowFault:
		e.Bandwidth = v.Size("bandwidth")
	case StallFault:
		e.Stall = true
	case CutFault:
		e.Cut = true
	case HalfOpenFault:
		e.HalfOpen = true
	}
	if err := e.check(); err != nil {
		return chaos.Plan{}, err
	}
	_, err := s.Match(v.Text("link"))
	// Effects of one link add up, and each ends by itself: none needs the link for itself alone.
	return chaos.Plan{Inject: func(context.Context, func(any) error) (chaos.Undo, error) {
		end, err := s.add(v.Text("link"), e)
		return func(context.Context) error { end(); return nil }, err
	}}, err
}
