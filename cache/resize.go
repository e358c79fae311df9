package cache

// leastShare is what L1 always keeps of what it may hold.
const leastShare = 0.05

// Resize bounds L1 of every family to a share of what its options allow, from 0.05 to 1, from now on: a process that is short of
// memory gives some back and keeps what pays most.
func (s *Store) Resize(share float64) {
	share = min(max(share, leastShare), 1)
	for _, f := range s.members() {
		f.resize(share)
	}
}

func (f *Family[V]) resize(share float64) {
	f.l1.SetMaximum(uint64(share * float64(f.o.L1Bytes-f.victims.max)))
}
