package postgres

import (
	"context"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/postgres/catalogdb"
	"github.com/stampede-shop/stampede/internal/shop"
)

// Marks are words of a product's search vector that tell in which range its price, popularity or rating lies. With them
// the search index finds the cheapest of all products that have a frequent word without looking at every one that has
// it: the products with the word and one of the lowest marks, then the next marks, until the page is full.
// Marks begin with #, which no word does, and sort as their ranges do. Lists by id ("newest") have none.
const (
	markPrice      = 'p'
	markPopularity = 'f' // f as in favourite
	markRating     = 'r'
)

// mark is "#", the kind, and the number of the range in four digits.
func mark(kind byte, n int) string {
	return string([]byte{'#', kind, byte('0' + n/1000), byte('0' + n/100%10), byte('0' + n/10%10), byte('0' + n%10)})
}

// markNumber puts numbers into ranges, 16 to each power of two. It never falls as v grows.
func markNumber(v uint64) int {
	if v == 0 {
		return 0
	}
	e := bits.Len64(v) - 1
	return 1 + e*16 + int(v<<(63-e)>>59&15)
}

func ratingNumber(rating float64) int { return int(math.Floor(rating * 20)) }

// number is the range of a list key.
func (o listOrder) number(k listKey) int {
	if o.float {
		return ratingNumber(math.Float64frombits(k.value))
	}
	return markNumber(k.value)
}

func (l wordList) addMarks(p shop.NewProduct) {
	l[mark(markPrice, markNumber(uint64(p.Price)))] = 'D'
	l[mark(markPopularity, markNumber(uint64(p.Popularity)))] = 'D'
	l[mark(markRating, ratingNumber(p.Rating))] = 'D'
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
		rows, _, err := l.query(ctx, db, l.fetch(m.query+" & ("+strings.Join(step, " | ")+")"))
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
