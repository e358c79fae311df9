package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/stampede-shop/stampede/internal/postgres/catalogdb"
	"github.com/stampede-shop/stampede/replica"
)

// How many products byMarks looks at: at first so many times what should hold a page, then times as many with each step,
// but never more than should hold so many rows as the bounds say of those searched for.
const (
	marksEnough = 6
	marksGrow   = 8
)

// byMarks answers a search for frequent words: range after range of the order, in few and growing steps.
func (l *listing) byMarks(ctx context.Context, db replica.Reader, m searchMatch) ([]listRow, error) {
	rows, err := catalogdb.New(db.Generated()).ListMarks(ctx, catalogdb.ListMarksParams{First: mark(l.order.mark, 0), Last: mark(l.order.mark, maxMark)})
	if err != nil {
		return nil, err
	}
	r := l.ranges(rows)
	want := l.q.Limit + 1
	docs, most := m.expected(marksEnough*want), m.expected(l.markRows)
	var found []listRow
	for len(r.left) > 0 && len(found) < want {
		more, _, err := l.query(ctx, db, l.gather(m.query+" & ("+r.take(docs)+")", 0))
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
		docs = min(docs*marksGrow, most)
	}
	return found[:min(want, len(found))], nil
}

// markRange is one of the ranges that products lie in.
type markRange struct {
	number int
	docs   int64
}

// markRanges are those that a list has not passed yet, in its order. whole counts those of each wide range, where none
// is passed.
type markRanges struct {
	kind  byte
	left  []markRange
	whole map[int]int
}

func (l *listing) ranges(rows []catalogdb.SearchWord) *markRanges {
	r := &markRanges{kind: l.order.mark, whole: map[int]int{}}
	for _, row := range rows {
		n, err := strconv.Atoi(row.Word[2:])
		if err == nil { // it is a mark: ours are numbers
			r.left = append(r.left, markRange{n, row.Docs})
			r.whole[n/wide]++
		}
	}
	if l.order.desc {
		slices.Reverse(r.left)
	}
	if l.after != nil {
		at := min(l.order.number(*l.after), maxMark)
		r.left = slices.DeleteFunc(r.left, func(m markRange) bool {
			return l.order.desc && m.number > at || !l.order.desc && m.number < at
		})
	}
	return r
}

// take cuts off as many ranges as hold about docs products, at least one, and returns the alternatives of a tsquery.
func (r *markRanges) take(docs int64) string {
	var taken []int
	inWide := map[int]int{}
	for sum := int64(0); len(r.left) > 0 && (len(taken) == 0 || sum+r.left[0].docs <= docs); r.left = r.left[1:] {
		taken = append(taken, r.left[0].number)
		inWide[r.left[0].number/wide]++
		sum += r.left[0].docs
	}
	var words []string
	for _, n := range taken {
		w := tsWord(mark(r.kind, n), false)
		if k := wideMark(r.kind); k != 0 && inWide[n/wide] == r.whole[n/wide] {
			w = tsWord(mark(k, n/wide), false)
		}
		if len(words) == 0 || words[len(words)-1] != w {
			words = append(words, w)
		}
	}
	return strings.Join(words, " | ")
}
