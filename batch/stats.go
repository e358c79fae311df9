package batch

// Stats are counts since New, and what is under way now.
type Stats struct {
	Submitted uint64 // requests that got a place in a queue
	Withdrawn uint64 // of them, those whose context ended before they were run
	Finished  uint64 // requests that were run
	Failed    uint64 // of them, those with an error
	Orphans   uint64 // of them, those whose caller had gone
	Batches   uint64 // batches that were begun
	Full      uint64 // requests refused with ErrFull
	Retries   uint64 // batches run again
	Splits    uint64 // batches halved
	Lingers   uint64 // waits for company
	Queued    int    // requests that wait now
	Running   int    // batches under way now
	Keys      int    // keys that have work or a goroutine now
}

// Stats returns the counts of one moment.
func (b *Batcher[Req, Res]) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.count
	s.Keys = len(b.lanes)
	for _, l := range b.lanes {
		s.Queued += l.length
	}
	return s
}
