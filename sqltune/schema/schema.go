package schema

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Schema is what is known of a database's tables.
type Schema struct {
	// Version is the server's, as in 150004.
	Version int `json:"version"`
	// Since is when the server began to count; the zero time when it does not say.
	Since time.Time `json:"since,omitzero"`
	// Standby is set for a server that replicates another.
	Standby    bool              `json:"standby,omitempty"`
	Extensions map[string]string `json:"-"` // installed ones and the schema that each is in
	Tables     []*Table          `json:"tables"`
}

// Table is a table with its indexes.
type Table struct {
	Schema  string    `json:"schema"`
	Name    string    `json:"name"`
	Rows    float64   `json:"rows"`
	Pages   float64   `json:"pages"`
	Columns []*Column `json:"-"`
	Indexes []*Index  `json:"indexes"`
	// Inserted, Updated, HotUpdated and Deleted count rows since the statistics began.
	Inserted   float64 `json:"inserted"`
	Updated    float64 `json:"updated"`
	HotUpdated float64 `json:"hot_updated"`
	Deleted    float64 `json:"deleted"`
	Partition  bool    `json:"-"` // is a partition, or has partitions
	Analyzed   bool    `json:"-"` // has ever been analysed
}

// Column is a column and what its values are like.
type Column struct {
	Name string
	Type string // as format_type says: text, character varying(10), integer[]
	Num  int
	// Distinct values: a number, or minus their share of the rows; 0 when unknown.
	Distinct float64
	Nulls    float64 // share
	Width    float64 // bytes, average
	// Common values and their shares, as texts.
	Common []string
	Shares []float64
}

// Index is an index.
type Index struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
	Method string `json:"method"`
	// Keys are columns, or expressions as PostgreSQL prints them; Classes their operator classes where they are not the usual ones.
	Keys    []string `json:"keys"`
	Classes []string `json:"-"`
	Desc    []bool   `json:"-"`
	Include []string `json:"include,omitempty"`
	// Where is the predicate of a partial index.
	Where   string  `json:"where,omitempty"`
	Unique  bool    `json:"unique,omitempty"`
	Primary bool    `json:"primary,omitempty"`
	Valid   bool    `json:"valid"`
	Needed  bool    `json:"needed,omitempty"` // by a constraint, or for replication
	Bytes   float64 `json:"bytes"`
	Scans   float64 `json:"scans"`
	Def     string  `json:"definition"`
}

// Table finds a table by name; an empty schema takes the first of that name.
func (s *Schema) Table(schema, name string) *Table {
	if s == nil {
		return nil
	}
	i := slices.IndexFunc(s.Tables, func(t *Table) bool { return t.Name == name && (schema == "" || t.Schema == schema) })
	if i < 0 {
		return nil
	}
	return s.Tables[i]
}

// Has tells whether an extension is installed.
func (s *Schema) Has(extension string) bool {
	if s == nil {
		return false
	}
	_, ok := s.Extensions[extension]
	return ok
}

// Column finds a column.
func (t *Table) Column(name string) *Column {
	if t == nil {
		return nil
	}
	i := slices.IndexFunc(t.Columns, func(c *Column) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return t.Columns[i]
}

// FullName is the table's name as SQL takes it.
func (t *Table) FullName() string { return Quote(t.Schema) + "." + Quote(t.Name) }

// DistinctValues is how many different values a column has, of a table's rows; 0 when unknown.
func (t *Table) DistinctValues(c *Column) float64 {
	switch {
	case c == nil:
		return 0
	case c.Distinct < 0:
		return -c.Distinct * t.Rows
	}
	return c.Distinct
}

// Leads are the indexes that begin with a column or expression and are of a method.
func (t *Table) Leads(key, method string) (list []*Index) {
	if t == nil {
		return nil
	}
	for _, i := range t.Indexes {
		if i.Valid && i.Method == method && len(i.Keys) > 0 && SameKey(i.Keys[0], key) {
			list = append(list, i)
		}
	}
	return list
}

// SameKey tells whether two keys of indexes are the same expression, whatever parentheses and white space they are written with.
func SameKey(a, b string) bool { return bare(a) == bare(b) }

var plain = strings.NewReplacer(" ", "", "(", "", ")", "", "\n", "", `"`, "", "::text", "", "::charactervarying", "")

func bare(s string) string { return plain.Replace(strings.ToLower(s)) }

// Covers tells whether the index i does all that an index with these keys, predicate and included columns would.
func (i *Index) Covers(j *Index) bool {
	if i.Method != j.Method || len(j.Keys) > len(i.Keys) || !i.Valid || (i.Where != "" && bare(i.Where) != bare(j.Where)) {
		return false
	}
	if j.Method == "btree" {
		return coversOrdered(i, j)
	}
	for k := range j.Keys {
		if !slices.ContainsFunc(i.Keys, func(key string) bool { return SameKey(key, j.Keys[k]) }) {
			return false
		}
	}
	return i.class(0) == j.class(0)
}

func coversOrdered(i, j *Index) bool {
	flipped := len(j.Keys) > 0 && i.desc(0) != j.desc(0)
	for k := range j.Keys {
		if !SameKey(i.Keys[k], j.Keys[k]) || i.class(k) != j.class(k) || (i.desc(k) != j.desc(k)) != flipped {
			return false
		}
	}
	held := append(slices.Clone(i.Keys), i.Include...)
	for _, inc := range j.Include {
		if !slices.ContainsFunc(held, func(h string) bool { return SameKey(h, inc) }) {
			return false
		}
	}
	return true
}

func (i *Index) class(k int) string {
	if k < len(i.Classes) {
		return i.Classes[k]
	}
	return ""
}

func (i *Index) desc(k int) bool { return k < len(i.Desc) && i.Desc[k] }

// Unused is an index that nothing was found to need, and why.
type Unused struct {
	Table *Table `json:"-"`
	Index *Index `json:"index"`
	On    string `json:"table"`
	Why   string `json:"why"`
}

// Unused lists indexes that nobody has scanned, and those that another one makes superfluous, largest first. scans adds what other
// nodes (replicas) have counted, by "schema.index"; nil when there are none. Statistics that are young say little: see Since.
func (s *Schema) Unused(scans map[string]float64) (list []Unused) {
	for _, t := range s.Tables {
		for _, i := range t.Indexes {
			if i.Unique || i.Primary || i.Needed || !i.Valid {
				continue
			}
			if other := t.coveredBy(i); other != nil {
				list = append(list, Unused{t, i, t.FullName(), "all it can do " + other.Name + " does as well"})
			} else if i.Scans+scans[i.Schema+"."+i.Name] == 0 {
				list = append(list, Unused{t, i, t.FullName(), "no scan since statistics began"})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Unused) int { return cmp.Compare(b.Index.Bytes, a.Index.Bytes) })
	return list
}

// coveredBy is another index that makes one superfluous. Of two that are equal, the one with the later name is.
func (t *Table) coveredBy(i *Index) *Index {
	for _, o := range t.Indexes {
		if o != i && o.Covers(i) && (!i.Covers(o) || o.Unique || o.Name < i.Name) {
			return o
		}
	}
	return nil
}

// Writes are the rows that were written since the statistics began.
func (t *Table) Writes() float64 { return t.Inserted + t.Updated + t.Deleted }

// Quote quotes a name where SQL needs it.
func Quote(name string) string {
	for k, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (k == 0 || r < '0' || r > '9') {
			return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		}
	}
	if reserved[name] || name == "" {
		return `"` + name + `"`
	}
	return name
}

var reserved = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`all analyse analyze and any array as asc asymmetric both case cast check collate column constraint
		create current_date current_time current_user default deferrable desc distinct do else end except false fetch for foreign from grant
		group having in initially intersect into lateral leading limit localtime not null offset on only or order placing primary references
		returning select session_user some symmetric table then to trailing true union unique user using variadic when where window with
		authorization binary collation concurrently cross freeze full ilike inner is isnull join left like natural notnull outer overlaps
		right similar verbose`) {
		m[w] = true
	}
	return m
}()
