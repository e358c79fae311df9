package cache

import "fmt"

// Advice says what a family lacks, what would help, and by what figures.
type Advice struct {
	Family   string `json:"family"`
	Problem  string `json:"problem"`
	Help     string `json:"help"`
	Evidence string `json:"evidence"`
}

const (
	adviseFrom = 1000 // keys asked for before anything is said
	adviseRate = 0.8  // hit rates below it are looked into
	adviseMain = 0.4  // the share of misses that makes a reason the main one
)

// Advise names families with a poor hit rate and says what would help. It looks at totals since the start.
func Advise(st Stats) []Advice {
	var out []Advice
	for _, f := range st.Families {
		misses := f.MissCold + f.MissExpired + f.MissInvalidated
		if f.Asked() < adviseFrom || misses == 0 {
			continue
		}
		if a, ok := f.advise(float64(misses), st.Costly); ok && f.HitRate() < adviseRate {
			out = append(out, a)
		}
		if f.LoadErrors*10 > f.Loads && f.Loads > 100 {
			out = append(out, Advice{f.Name, "loads fail", "look at the source; FailSafe would serve expired values meanwhile",
				fmt.Sprintf("%d of %d loads failed, %d expired values served", f.LoadErrors, f.Loads, f.FailSafe)})
		}
	}
	return out
}

// advise names the main reason for the misses of a family.
func (f FamilyStats) advise(misses float64, costly []HotTag) (Advice, bool) {
	rate := fmt.Sprintf("hit rate %.0f %% of %d", 100*f.HitRate(), f.Asked())
	share := func(n uint64) float64 { return float64(n) / misses }
	full := f.L1MaxBytes > 0 && float64(f.L1Bytes) > 0.9*float64(f.L1MaxBytes)
	switch {
	case share(f.MissInvalidated) >= adviseMain:
		a := Advice{f.Name, "values are invalidated before they are used", "narrow the tag, or invalidate it less often",
			fmt.Sprintf("%s, %.0f %% of misses by invalidation", rate, 100*share(f.MissInvalidated))}
		if len(costly) > 0 {
			a.Evidence += fmt.Sprintf(", costliest tag %q with %d", costly[0].Tag, costly[0].Misses)
		}
		return a, true
	case share(f.MissCold) >= adviseMain && full && f.Evicted > 0:
		return Advice{f.Name, "memory is too small", fmt.Sprintf("raise L1Bytes above %d", f.L1MaxBytes),
			fmt.Sprintf("%s, %d values pushed out, %d of %d bytes taken", rate, f.Evicted, f.L1Bytes, f.L1MaxBytes)}, true
	case share(f.MissExpired) >= adviseMain:
		return Advice{f.Name, "values expire before they are used again", "raise TTL or L1TTL, or set StaleFor",
			fmt.Sprintf("%s, %.0f %% of misses by expiry", rate, 100*share(f.MissExpired))}, true
	case share(f.MissCold) >= adviseMain:
		return Advice{f.Name, "keys are seldom asked for twice", "make keys coarser (order of parameters, defaults), or do not cache them",
			fmt.Sprintf("%s, %.0f %% of misses of keys not seen before", rate, 100*share(f.MissCold))}, true
	}
	return Advice{}, false
}
