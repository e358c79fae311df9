package postgres

import (
	"hash/crc32"
	"math"
	"math/bits"
	"strconv"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Marks are words of a product's search vector that tell in which range its price, popularity, rating or id lies. With
// them the search index finds the cheapest of all products that have a frequent word without looking at every one that
// has it: the products with the word and one of the lowest marks, then the next marks, until the page is full. Further
// marks stand for the brand and for each category above, so that the index tells words and filters together.
// Marks begin with #, which no word does; those of ranges sort as the ranges do.
const (
	markPrice      = 'p'
	markPopularity = 'f' // f as in favourite
	markRating     = 'r'
	markNewest     = 'n'
	markCategory   = 'c'
	markBrand      = 'b'
)

// wideMark is the kind of the marks of eight ranges together, from a multiple of eight; 0 when a kind has none. Asking for
// few wide ranges instead of many small ones is what makes a search far down the order fast.
func wideMark(kind byte) byte {
	switch kind {
	case markPrice, markPopularity:
		return kind - 'a' + 'A'
	}
	return 0
}

const (
	wide    = 8
	maxMark = 9999 // ids beyond 163 million share the last range
)

// mark is "#", the kind, and the number of the range in four digits.
func mark(kind byte, n int) string {
	n = min(n, maxMark)
	return string([]byte{'#', kind, byte('0' + n/1000), byte('0' + n/100%10), byte('0' + n/10%10), byte('0' + n%10)})
}

// namedMark is for a name: a hash, because names have any length. What shares it by accident is sorted out in the table.
func namedMark(kind byte, name string) string {
	return "#" + string(kind) + strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(name))), 16)
}

// markNumber puts numbers into ranges, 2^fine of them to each power of two. It never falls as v grows.
func markNumber(v uint64, fine int) int {
	if v == 0 {
		return 0
	}
	e := bits.Len64(v) - 1
	return 1 + e<<fine + int(v<<(64-e)>>(64-fine))
}

// How fine ranges are: few enough to ask for many at once, small enough to hold few products with one word. Prices lie
// close together, popularity is spread over many orders of magnitude.
const (
	priceFine      = 3
	popularityFine = 2
)

func ratingNumber(rating float64) int { return int(math.Floor(rating * 20)) }

// number is the range of a list key.
func (o listOrder) number(k listKey) int {
	switch o.mark {
	case markRating:
		return ratingNumber(math.Float64frombits(k.value))
	case markNewest:
		return int(k.id >> 14)
	}
	if o.mark == markPrice {
		return markNumber(k.value, priceFine)
	}
	return markNumber(k.value, popularityFine)
}

// addMarks adds those of a product to its words.
func (l wordList) addMarks(p shop.NewProduct, id int64) {
	price, popularity := markNumber(uint64(p.Price), priceFine), markNumber(uint64(p.Popularity), popularityFine)
	l[mark(markPrice, price)] = 'D'
	l[mark(wideMark(markPrice), price/wide)] = 'D'
	l[mark(markPopularity, popularity)] = 'D'
	l[mark(wideMark(markPopularity), popularity/wide)] = 'D'
	l[mark(markRating, ratingNumber(p.Rating))] = 'D'
	l[mark(markNewest, int(id>>14))] = 'D'
	if p.Brand != "" {
		l[namedMark(markBrand, p.Brand)] = 'D'
	}
	for i, c := range p.Category {
		if c == '/' {
			l[namedMark(markCategory, p.Category[:i])] = 'D'
		}
	}
	if p.Category != "" {
		l[namedMark(markCategory, p.Category)] = 'D'
	}
}

// filterMarks are the marks that what passes l's filters has.
func (l *listing) filterMarks() []string {
	var all []string
	if l.q.Category != "" {
		all = append(all, namedMark(markCategory, l.q.Category))
	}
	if l.q.Brand != "" {
		all = append(all, namedMark(markBrand, l.q.Brand))
	}
	return all
}
