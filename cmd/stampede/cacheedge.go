package main

import (
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/stampede-shop/stampede/edge/httpcache"
)

// printEdges shows the third tier, the one that is asked first.
func printEdges(s streams, stats map[string]httpcache.Stats) error {
	if len(stats) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(s.Out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "EDGE\tHITS\tSTALE\tCOLLAPSED\tCONFIRMED\tMISSES\tNOT KEPT\tHIT RATE\tENTRIES\tBYTES\tON DISK")
	for _, name := range slices.Sorted(maps.Keys(stats)) {
		st := stats[name]
		rate := "-"
		if st.Hits+st.Stale+st.Bridged+st.Collapsed+st.Revalidated+st.Misses > 0 {
			rate = fmt.Sprintf("%.1f %%", 100*st.HitRate)
		}
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%d\t%s\t%s\n", name, st.Hits, st.Stale+st.Bridged, st.Collapsed, st.Revalidated,
			st.Misses, st.Passed, rate, st.Addresses, size(uint64(st.MemoryBytes)), size(uint64(st.DiskBytes)))
	}
	_, _ = fmt.Fprintln(w)
	return w.Flush()
}
