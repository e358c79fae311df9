package cache

import (
	"context"
	"time"
)

// grants asks for the right to load keys; nil when L2 cannot be used.
func (f *Family[V]) grants(ctx context.Context, keys []string) map[string]grant {
	full := make([]string, len(keys))
	for i, k := range keys {
		full[i] = f.redisKey(k)
	}
	got, err := f.s.l2.lease(ctx, full, f.schema, f.s.o.LeaseTTL, f.o.LoadTimeout)
	if err != nil {
		return nil
	}
	out := make(map[string]grant, len(keys))
	for i, k := range keys {
		out[k] = got[i]
	}
	return out
}

// loadMany loads what is ours to load, stores it, then waits for what others are loading, and loads what they did not. That our
// own part comes first keeps two processes with overlapping batches from waiting for each other.
func (f *Family[V]) loadMany(ctx context.Context, r batch[V], keys []string, grants map[string]grant, load manyLoader[V]) (batch[V], func()) {
	mine, others := keys, []string(nil)
	if grants != nil && f.o.LeaseWait > 0 {
		mine = nil
		for _, k := range keys {
			if grants[k].owned {
				mine = append(mine, k)
			} else {
				others = append(others, k)
			}
		}
	}
	var after func()
	if len(mine) > 0 {
		if after = f.readMany(ctx, &r, mine, grants, load); len(others) > 0 && after != nil {
			after()
			after = nil
		}
	}
	if len(others) == 0 || r.err != nil {
		return r, after
	}
	f.count.waited.Add(1)
	rest, grants := f.awaitMany(ctx, &r, others)
	if len(rest) == 0 {
		return r, nil
	}
	return r, f.readMany(ctx, &r, rest, grants, load)
}

// awaitMany looks for what others load until it is there, the right to load all that is missing is ours, or LeaseWait is over. It
// returns what to load.
func (f *Family[V]) awaitMany(ctx context.Context, r *batch[V], keys []string) ([]string, map[string]grant) {
	ctx, cancel := context.WithTimeout(ctx, f.o.LeaseWait)
	defer cancel()
	held := map[string]grant{}
	for pause := leasePoll; ; pause = min(2*pause, leasePollMax) {
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return keys, held
		case <-t.C:
		}
		found, err := f.fromL2(ctx, keys)
		if err != nil {
			return keys, held
		}
		keys = r.take(f, keys, found)
		f.giveBack(ctx, held, found)
		var open []string
		for _, k := range keys {
			if !held[k].owned {
				open = append(open, k)
			}
		}
		if len(open) == 0 {
			return keys, held
		}
		for k, g := range f.grants(ctx, open) {
			held[k] = g
		}
		f.s.l2.prolong(ctx, values(held))
	}
}

// giveBack ends leases of what has turned up.
func (f *Family[V]) giveBack(ctx context.Context, held map[string]grant, found map[string]*entry[V]) {
	for k := range found {
		if g, ok := held[k]; ok {
			f.s.l2.release(ctx, g)
			delete(held, k)
		}
	}
}

func values(m map[string]grant) []grant {
	out := make([]grant, 0, len(m))
	for _, g := range m {
		out = append(out, g)
	}
	return out
}

// readMany calls the loader, puts what it read into L1 and the batch, and returns what writes it to L2.
func (f *Family[V]) readMany(ctx context.Context, r *batch[V], keys []string, grants map[string]grant, load manyLoader[V]) func() {
	r.source = Load
	leave, err := f.turn(ctx)
	if err != nil {
		r.err = err
		return nil
	}
	defer leave()
	if len(grants) > 0 {
		defer f.s.l2.renew(values(grants)...)()
	}
	f.s.beforeLoad(ctx)
	born, start := f.s.gens.now(), time.Now()
	values, err := load(ctx, keys)
	f.count.loaded(start, err != nil)
	if err != nil {
		r.err = err
		for _, g := range grants {
			f.s.l2.release(ctx, g)
		}
		return nil
	}
	return f.keepMany(ctx, r, values, keys, grants, born, start)
}

// keepMany puts a batch into L1 and returns what writes it to L2.
func (f *Family[V]) keepMany(ctx context.Context, r *batch[V], values map[string]Loaded[V], keys []string,
	grants map[string]grant, born uint64, start time.Time) func() {
	var names []string
	var entries []*entry[V]
	var data [][]byte
	var granted, unused []grant
	for _, k := range keys {
		l, ok := values[k]
		if !ok {
			unused = append(unused, grants[k])
			continue
		}
		var absence error
		if l.Absent {
			absence = f.absent(k)
		}
		e, bytes := f.entry(k, l.Value, absence, l.Tags, born, start)
		r.entries[k] = e
		if f.keep(k, e) {
			names, entries, data, granted = append(names, k), append(entries, e), append(data, bytes), append(granted, grants[k])
		} else {
			unused = append(unused, grants[k])
		}
	}
	if len(grants) == 0 {
		return nil
	}
	return func() {
		f.s.l2.release(ctx, unused...)
		f.toL2(ctx, granted, names, entries, data)
	}
}
