package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stampede-shop/stampede/cache"
)

// printCaches shows the figures of processes by family and tier, what is hot, and what would help.
func printCaches(s streams, stats map[string]cache.Stats, byProcess bool) error {
	if len(stats) == 0 { // an edge alone
		return nil
	}
	names := slices.Sorted(maps.Keys(stats))
	w := tabwriter.NewWriter(s.Out, 0, 8, 2, ' ', 0)
	if byProcess {
		for _, name := range names {
			_, _ = fmt.Fprintf(w, "%s, L2 %s\n", name, stateOf(stats[name].L2))
			printTiers(w, stats[name].Families)
			_, _ = fmt.Fprintln(w)
		}
	} else {
		var states []string
		var all []cache.FamilyStats
		for _, name := range names {
			states = append(states, name+" "+stateOf(stats[name].L2))
			all = append(all, stats[name].Families...)
		}
		_, _ = fmt.Fprintf(w, "L2: %s\n\n", strings.Join(states, ", "))
		printTiers(w, all)
		_, _ = fmt.Fprintln(w)
	}
	printHot(w, names, stats)
	printAdvice(w, names, stats)
	return w.Flush()
}

// stateOf is what a process makes of Redis.
func stateOf(l cache.L2Stats) string {
	text := "none"
	switch {
	case l.Cold:
		text = "up, but it has just lost everything"
	case l.Up:
		text = "up"
	case l.Configured:
		text = "down"
	}
	if l.Pending > 0 || l.PendingClear {
		text += fmt.Sprintf(" (%d invalidations to be told)", l.Pending)
	}
	if l.Trips > 0 || l.Lost > 0 {
		text += fmt.Sprintf(" (left alone %d times, %d times messages were lost)", l.Trips, l.Lost)
	}
	return text
}

// printTiers shows each family by tier, and all of them together at the end; families of one name are added up.
func printTiers(w io.Writer, families []cache.FamilyStats) {
	var order []string
	sum := map[string]cache.TierStats{}
	add := func(family string, t cache.TierStats) {
		key := family + "\x00" + t.Tier
		have, ok := sum[key]
		if !ok {
			order = append(order, key)
			have = cache.TierStats{Family: family, Tier: t.Tier}
		}
		sum[key] = have.Add(t)
	}
	for _, f := range families {
		for _, t := range f.Tiers() {
			add(f.Name, t)
			add("all", t)
		}
	}
	slices.SortStableFunc(order, func(a, b string) int { // "all" last, families in the order they were given
		return cmp.Compare(strings.Count(a, "all\x00"), strings.Count(b, "all\x00"))
	})
	_, _ = fmt.Fprintln(w, "FAMILY\tTIER\tASKED\tHIT RATE\tSTALE\tREFUSED\tLOADS SAVED\tENTRIES\tBYTES\tP50\tP99")
	for _, key := range order {
		t := sum[key]
		rate, bytes := "-", "-"
		if t.Asked > 0 {
			rate = fmt.Sprintf("%.1f %%", 100*t.HitRate())
		}
		switch t.Tier {
		case "l1":
			bytes = fmt.Sprintf("%s of %s", size(t.Bytes), size(t.MaxBytes))
		case "l2":
			bytes = fmt.Sprintf("%s out, %s in", size(t.Bytes), size(t.BytesIn))
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", t.Family, t.Tier, t.Asked, rate, t.Stale, t.Refused, t.Saved,
			t.Entries, bytes, took(t.Time, t.Time.P50), took(t.Time, t.Time.P99))
	}
}

func took(l cache.Latency, d time.Duration) string {
	if l.Count == 0 {
		return "-"
	}
	return d.String()
}

// size is bytes for people.
func size(n uint64) string {
	for _, u := range []struct {
		name string
		unit uint64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.unit {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.unit), u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

const hotLines = 10

// printHot shows the keys asked for most, and the tags whose invalidation cost most, of all processes together.
func printHot(w io.Writer, names []string, stats map[string]cache.Stats) {
	keys, tags := map[string]uint64{}, map[string]uint64{}
	for _, name := range names {
		for _, k := range stats[name].Hot {
			keys[k.Family+"\t"+k.Key] += k.Asked
		}
		for _, t := range stats[name].Costly {
			tags[t.Tag] += t.Misses
		}
	}
	show := func(head string, counts map[string]uint64) {
		if len(counts) == 0 {
			return
		}
		_, _ = fmt.Fprintln(w, head)
		list := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
			return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
		})
		for _, name := range list[:min(hotLines, len(list))] {
			_, _ = fmt.Fprintf(w, "%s\t%d\n", name, counts[name])
		}
		_, _ = fmt.Fprintln(w)
	}
	show("HOT FAMILY\tKEY\tASKED FOR, LATELY", keys)
	show("COSTLY TAG\tMISSES IT CAUSED", tags)
}

// printAdvice shows what each process thinks would help.
func printAdvice(w io.Writer, names []string, stats map[string]cache.Stats) {
	for _, name := range names {
		for _, a := range stats[name].Advice {
			_, _ = fmt.Fprintf(w, "advice of %s: %s: %s; %s (%s)\n", name, a.Family, a.Problem, a.Help, a.Evidence)
		}
	}
}
