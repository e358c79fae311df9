package postgres

import (
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/stampede-shop/stampede/internal/shop"
)

var copyColumns = []string{"id", "sku", "name", "slug", "description", "brand", "category", "price", "currency", "image_url",
	"rating", "rating_count", "popularity", "attributes", "availability", "search"}

// source feeds the known or the new products of a batch to COPY, with more columns at the end.
func (b *importBatch) source(known bool, more ...any) pgx.CopyFromSource {
	row := make([]any, len(copyColumns)+len(more))
	copy(row[len(copyColumns):], more)
	i := -1
	return pgx.CopyFromFunc(func() ([]any, error) {
		for i++; i < len(b.rows) && b.rows[i].known != known; i++ {
		}
		if i >= len(b.rows) {
			return nil, nil
		}
		r := &b.rows[i]
		p := &r.product
		row[0], row[1], row[2], row[3], row[4], row[5], row[6] = r.id, p.SKU, p.Name, p.Slug, p.Description, p.Brand, p.Category
		row[7], row[8], row[9], row[10], row[11] = p.Price, p.Currency, p.ImageURL, p.Rating, p.RatingCount
		row[12], row[13], row[14] = p.Popularity, []byte(p.Attributes), string(shop.AvailabilityOf(r.stock))
		row[15] = r.words.binary()
		return row, nil
	})
}

// The one position a word has in a search vector, by weight.
var (
	positionA = []pgtype.TSVectorPosition{{Position: 1, Weight: pgtype.TSVectorWeightA}}
	positionB = []pgtype.TSVectorPosition{{Position: 1, Weight: pgtype.TSVectorWeightB}}
	positionC = []pgtype.TSVectorPosition{{Position: 1, Weight: pgtype.TSVectorWeightC}}
	positionD = []pgtype.TSVectorPosition{{Position: 1, Weight: pgtype.TSVectorWeightD}}
)

// binary is vector in the form that COPY takes.
func (l wordList) binary() pgtype.TSVector {
	v := pgtype.TSVector{Valid: true, Lexemes: make([]pgtype.TSVectorLexeme, 0, len(l))}
	for w, weight := range l {
		at := positionD
		switch weight {
		case 'A':
			at = positionA
		case 'B':
			at = positionB
		case 'C':
			at = positionC
		}
		v.Lexemes = append(v.Lexemes, pgtype.TSVectorLexeme{Word: w, Positions: at})
	}
	return v
}

// flushDocs is how many products may be counted before the counts go to the database.
const flushDocs = 50_000

// wordCounts gathers how many new products have each word over the batches of an import, because most words of a
// batch are those of the batch before. It grows with the vocabulary. What is due is forgotten only after the commit.
type wordCounts struct {
	pending map[string]int64
	stored  map[string]bool // words the database has for certain
	docs    int
	sent    []string
	last    func(sign int64) // counts the batch again, or takes it back with -1; nil once it is committed
}

func newWordCounts() *wordCounts {
	return &wordCounts{pending: map[string]int64{}, stored: map[string]bool{}}
}

// add counts the words of new products; those of updated ones are only made known.
func (w *wordCounts) add(b *importBatch, inserted, updated []changedRow) {
	w.last = func(sign int64) {
		for _, r := range inserted {
			for word := range b.rows[r.at].words {
				w.pending[word] += sign
			}
		}
		w.docs += int(sign) * len(inserted)
	}
	w.last(1)
	for _, r := range updated {
		for word := range b.rows[r.at].words {
			w.pending[word] += 0
		}
	}
}

// takeBack undoes the last add when its transaction was not committed: the batch is on its way again.
func (w *wordCounts) takeBack() {
	if w.last != nil {
		w.last(-1)
		w.last = nil
	}
}

func (w *wordCounts) due(all bool) (words []string, docs []int64) {
	all = all || w.docs >= flushDocs
	for word := range w.pending {
		if all || !w.stored[word] {
			words = append(words, word)
		}
	}
	slices.Sort(words)
	docs = make([]int64, len(words))
	for i, word := range words {
		docs[i] = w.pending[word]
		if !w.stored[word] { // an updated product may have brought a word that nothing had before
			docs[i] = max(docs[i], 1)
		}
	}
	w.sent = words
	return words, docs
}

// saved is called once the transaction of the last save is committed.
func (w *wordCounts) saved() {
	for _, word := range w.sent {
		delete(w.pending, word)
		w.stored[word] = true
	}
	if len(w.pending) == 0 {
		w.docs = 0
	}
	w.sent, w.last = nil, nil
}
