package index

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/stampede-shop/stampede/sqltune/schema"
)

// Key is a column or expression of an index.
type Key struct {
	Text   string `json:"key"`
	Class  string `json:"class,omitempty"` // operator class, where not the usual one
	Desc   bool   `json:"desc,omitempty"`
	Suffix string `json:"-"`
}

// Candidate is an index that may be worth having.
type Candidate struct {
	Schema  string   `json:"schema"`
	Table   string   `json:"table"`
	Method  string   `json:"method"`
	Keys    []Key    `json:"keys"`
	Include []string `json:"include,omitempty"`
	Where   string   `json:"where,omitempty"`
	// Requires is an extension without which it cannot be made.
	Requires string `json:"requires,omitempty"`
}

// key is the key as SQL has it: expressions in parentheses.
func (k Key) sql() string {
	text := k.Text
	if !isName(text) {
		text = "(" + text + ")"
	}
	if k.Class != "" {
		text += " " + k.Class
	}
	if k.Desc {
		text += " DESC"
	}
	return text + k.Suffix
}

var name = regexp.MustCompile(`^("([^"]|"")+"|[a-z_][a-z0-9_]*)$`)

func isName(s string) bool { return name.MatchString(s) }

// TableName is the table as SQL has it.
func (c Candidate) TableName() string {
	if c.Schema == "" {
		return schema.Quote(c.Table)
	}
	return schema.Quote(c.Schema) + "." + schema.Quote(c.Table)
}

// Def is what follows ON in CREATE INDEX.
func (c Candidate) Def() string {
	var keys []string
	for _, k := range c.Keys {
		keys = append(keys, k.sql())
	}
	s := c.TableName()
	if c.Method != "btree" {
		s += " USING " + c.Method
	}
	s += " (" + strings.Join(keys, ", ") + ")"
	if len(c.Include) > 0 {
		s += " INCLUDE (" + strings.Join(c.Include, ", ") + ")"
	}
	if c.Where != "" {
		s += " WHERE " + c.Where
	}
	return s
}

// SQL makes the index while the table goes on being written to.
func (c Candidate) SQL() string {
	return "CREATE INDEX CONCURRENTLY " + schema.Quote(c.Name()) + " ON " + c.Def() + ";"
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// Name is the index's name: it tells the table and its keys, and differs wherever the definition does.
func (c Candidate) Name() string {
	words := []string{c.Table}
	for _, k := range c.Keys {
		words = append(words, k.Text)
	}
	text := strings.Trim(notInName.ReplaceAllString(strings.ToLower(strings.Join(words, "_")), "_"), "_")
	sum := sha256.Sum256([]byte(c.Def()))
	return text[:min(len(text), 48)] + "_" + hex.EncodeToString(sum[:3])
}

// Index is the candidate in the terms of the schema.
func (c Candidate) Index() *schema.Index {
	i := &schema.Index{Schema: c.Schema, Name: c.Name(), Method: c.Method, Include: c.Include, Where: c.Where, Valid: true, Def: c.SQL()}
	for _, k := range c.Keys {
		i.Keys, i.Classes, i.Desc = append(i.Keys, k.Text), append(i.Classes, k.Class), append(i.Desc, k.Desc)
	}
	return i
}

// Exists is an index of the table that does all that the candidate would; nil without one.
func (c Candidate) Exists(t *schema.Table) *schema.Index {
	if t == nil {
		return nil
	}
	for _, i := range t.Indexes {
		if i.Covers(c.Index()) {
			return i
		}
	}
	return nil
}

// Bytes estimates the size: an entry for each row, an eighth of the page kept free, keys of several rows stored once where many are
// the same (version 13 and later).
func (c Candidate) Bytes(t *schema.Table) float64 {
	if t == nil {
		return 0
	}
	width, distinct := 0., 1.
	for _, k := range c.Keys {
		col := t.Column(strings.Trim(k.Text, `"`))
		if col == nil {
			width, distinct = width+16, t.Rows
			continue
		}
		width += max(col.Width, 4)
		distinct *= max(1, t.DistinctValues(col))
	}
	for _, name := range c.Include {
		if col := t.Column(strings.Trim(name, `"`)); col != nil {
			width, distinct = width+col.Width, t.Rows
		}
	}
	entries := min(distinct, t.Rows)
	size := entries*(pad(width)+12) + (t.Rows-entries)*6
	if c.Method == "gin" {
		size = t.Rows * max(16, width/2)
	}
	return max(16384, size/0.88) * c.share(t)
}

func pad(width float64) float64 { return float64((int(width) + 7) / 8 * 8) }

// share is how many of the rows are in it.
func (c Candidate) share(t *schema.Table) float64 {
	if c.Where == "" {
		return 1
	}
	if col, ok := strings.CutSuffix(c.Where, " IS NULL"); ok && t.Column(col) != nil {
		return t.Column(col).Nulls
	}
	if col, ok := strings.CutSuffix(c.Where, " IS NOT NULL"); ok && t.Column(col) != nil {
		return 1 - t.Column(col).Nulls
	}
	return 0.3
}
