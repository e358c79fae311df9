package postgres

import (
	"context"
	"hash/crc32"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/postgres/catalogdb"
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

// mark is "#", the kind, and the number of the range in four digits.
func mark(kind byte, n int) string {
	n = min(n, 9999)
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
	l[mark(markPrice, markNumber(uint64(p.Price), priceFine))] = 'D'
	l[mark(markPopularity, markNumber(uint64(p.Popularity), popularityFine))] = 'D'
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

// How many products byMarks looks at: at first so many times what should hold a page, then times as many with each step,
// but never more than should hold markRows of those searched for.
const (
	marksEnough = 3
	marksGrow   = 4
	markRows    = 2_000
)

// byMarks answers a search for frequent words: range after range of the order, in few and growing steps.
func (l *listing) byMarks(ctx context.Context, db *pgxpool.Pool, m searchMatch) ([]listRow, error) {
	all, err := catalogdb.New(db).ListMarks(ctx, catalogdb.ListMarksParams{First: mark(l.order.mark, 0), Last: mark(l.order.mark, 9999)})
	if err != nil {
		return nil, err
	}
	if l.order.desc {
		slices.Reverse(all)
	}
	if l.after != nil {
		all = l.marksAfter(all)
	}
	want := l.q.Limit + 1
	docs, most := m.expected(marksEnough*want), m.expected(markRows)
	var found []listRow
	for len(all) > 0 && len(found) < want {
		step := takeMarks(&all, docs)
		rows, _, err := l.query(ctx, db, l.gather(m.query+" & ("+strings.Join(step, " | ")+")"))
		if err != nil {
			return nil, err
		}
		found = append(found, rows...)
		docs = min(docs*marksGrow, most)
	}
	return found[:min(want, len(found))], nil
}

// marksAfter leaves out the ranges that earlier pages have passed.
func (l *listing) marksAfter(all []catalogdb.SearchWord) []catalogdb.SearchWord {
	at := mark(l.order.mark, l.order.number(*l.after))
	return slices.DeleteFunc(all, func(w catalogdb.SearchWord) bool {
		if l.order.desc {
			return w.Word > at
		}
		return w.Word < at
	})
}

// takeMarks cuts off as many ranges as hold about docs products, at least one.
func takeMarks(all *[]catalogdb.SearchWord, docs int64) []string {
	var step []string
	for sum := int64(0); len(*all) > 0 && (len(step) == 0 || sum+(*all)[0].Docs <= docs); *all = (*all)[1:] {
		step = append(step, tsWord((*all)[0].Word, false))
		sum += (*all)[0].Docs
	}
	return step
}
