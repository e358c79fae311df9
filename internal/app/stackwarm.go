package app

import "github.com/stampede-shop/stampede/internal/app/warming"

// openWarming makes what warms the caches; nothing runs before its begin.
func (s *stack) openWarming(name string) (err error) {
	s.warm, err = warming.Open(warming.Options{Name: name, Config: s.cfg, Log: s.log, Registerer: s.reg, Queue: s.js, Products: s.products, Catalog: s.catalog, Campaigns: s.campaigns,
		InFlight: func() (most int64) {
			for _, n := range s.db.status() {
				most = max(most, n.InFlight)
			}
			return most
		}})
	if err == nil {
		s.onClose(s.warm.Close)
	}
	return err
}
