package loadsim

// product is what a shopper remembers of a product in a list.
type product struct {
	id      int64
	price   int64
	soldOut bool
}

// facts are what discovery wants to know of a product besides.
type facts struct {
	category, brand, name string
}

// parseList reads an answer that must be an array of products.
func parseList(body []byte) ([]product, error) {
	list := make([]product, 0, 20)
	s := scanner{b: body}
	err := s.array(func() error {
		p, err := s.product(nil)
		list = append(list, p)
		return err
	})
	if err == nil && !s.end() {
		err = errJSON
	}
	return list, err
}

// parseProduct reads an answer that must be one product, and gives a list of it.
func parseProduct(body []byte) ([]product, error) {
	s := scanner{b: body}
	p, err := s.product(nil)
	if err == nil && !s.end() {
		err = errJSON
	}
	return []product{p}, err
}

// parseStock reads {"product_id":…,"available":N}.
func parseStock(body []byte) (id, available int64, err error) {
	s := scanner{b: body}
	available = -1
	err = s.object(func(field []byte) (err error) {
		switch string(field) {
		case "product_id":
			id, err = s.integer()
		case "available":
			available, err = s.integer()
		default:
			err = s.skip()
		}
		return err
	})
	if err == nil && (!s.end() || available < 0) {
		err = errJSON
	}
	return id, available, err
}

// product reads one product: it must have an id, a name and a price. Into f go its facts, unless f is nil.
func (s *scanner) product(f *facts) (product, error) {
	var p product
	var named, priced bool
	err := s.object(func(field []byte) (err error) {
		switch string(field) {
		case "id":
			p.id, err = s.integer()
		case "price":
			p.price, err = s.integer()
			priced = true
		case "name":
			named = true
			return s.fact(f, func(t string) { f.name = t })
		case "category":
			return s.fact(f, func(t string) { f.category = t })
		case "brand":
			return s.fact(f, func(t string) { f.brand = t })
		case "availability":
			var t []byte
			t, err = s.text()
			p.soldOut = string(t) == "sold_out"
		default:
			return s.skip()
		}
		return err
	})
	if err == nil && (p.id <= 0 || !named || !priced || p.price < 0) {
		err = errJSON
	}
	return p, err
}

// fact reads a string, and keeps it if it is wanted and simple.
func (s *scanner) fact(f *facts, keep func(string)) error {
	t, err := s.text()
	if err != nil || f == nil {
		return err
	}
	for _, c := range t {
		if c == '\\' { // escapes are not worth decoding: there are enough other categories
			return nil
		}
	}
	keep(string(t))
	return nil
}
