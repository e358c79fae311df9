package dashboard

// spread is a histogram's growth: how many observations fell into each bucket.
type spread struct {
	bounds []float64
	counts []float64 // one more than bounds: what is above all
}

func (d *spread) count() (n float64) {
	for _, c := range d.counts {
		n += c
	}
	return n
}

// add puts the growth of one histogram on top; histograms of other bounds are left out.
func (d *spread) add(now *point, before *Series) {
	bounds := now.family.Bounds
	if now.Count == 0 || len(now.Counts) != len(bounds) {
		return
	}
	if d.bounds == nil {
		d.bounds, d.counts = bounds, make([]float64, len(bounds)+1)
	}
	if len(d.bounds) != len(bounds) {
		return
	}
	var below float64
	at := func(s *Series, i int) float64 {
		if i < len(s.Counts) {
			return float64(s.Counts[i])
		}
		return float64(s.Count)
	}
	for i := range d.counts {
		upTo := at(now.Series, i) - at(before, i)
		d.counts[i] += upTo - below
		below = upTo
	}
}

// quantile is the value below which a share q lies, taking values to be spread evenly within a bucket; 0 of nothing. What is
// above all bounds counts as the highest.
func (d *spread) quantile(q float64) float64 {
	rank := q * d.count()
	if rank <= 0 {
		return 0
	}
	low := 0.0
	for i, c := range d.counts {
		if i == len(d.bounds) {
			break
		}
		if c > 0 && rank <= c {
			return low + (d.bounds[i]-low)*rank/c
		}
		rank -= c
		low = d.bounds[i]
	}
	return low
}

func (s span) spread(q selector) *spread {
	d := &spread{}
	s.each(q, d.add)
	return d
}

// spreadBy is the same by the value of a label, or of several joined by a space.
func (s span) spreadBy(q selector, labels ...string) map[string]*spread {
	m := map[string]*spread{}
	s.each(q, func(now *point, before *Series) {
		k := ""
		for i, l := range labels {
			if i > 0 {
				k += " "
			}
			k += now.label(l)
		}
		if m[k] == nil {
			m[k] = &spread{}
		}
		m[k].add(now, before)
	})
	return m
}
