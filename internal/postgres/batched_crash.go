package postgres

// BatchCrashPoints are the names that BatchedOptions.Crash is called with: a batch has been committed, and none of those
// who wait for it knows. "batch-ration" is the second transaction of reservations that are served one by one.
var BatchCrashPoints = []string{"batch-open", "batch-close", "batch-stock", "batch-ration", "batch-pay", "batch-cart"}

// passed tells a test that a batch of a kind was committed.
func (b *Batched) passed(kind string) {
	if b.crash != nil {
		b.crash("batch-" + kind)
	}
}
