package shard

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrNoSQL means that a map cannot be written as SQL.
var ErrNoSQL = errors.New("shard: this map has no SQL form")

// OwnerSQL writes Locate as an SQL expression: of a text expression for a key, for PostgreSQL 14 and later. It is immutable, takes
// one MD5 and one binary search for a ring, and is undefined for the empty key. A map of another type may have a method
// OwnerSQL(key string) (string, error).
func OwnerSQL(m Map, key string) (string, error) {
	switch m := m.(type) {
	case *Ring:
		return m.ownerSQL(key), nil
	case *RangeMap:
		return m.ownerSQL(key), nil
	case *Directory:
		return m.ownerSQL(key)
	case interface{ OwnerSQL(string) (string, error) }:
		return m.OwnerSQL(key)
	}
	return "", fmt.Errorf("%w: %T", ErrNoSQL, m)
}

// ownerSQL counts the places before the key's digest, with neighbours of one owner taken together. A uuid is 16 bytes that
// compare as digests do, and width_bucket counts the bounds at or below its first argument: so each bound is the point after a place.
func (r *Ring) ownerSQL(key string) string {
	var bounds, owners []string
	for i, p := range r.places {
		next := r.places[(i+1)%len(r.places)].owner
		if p.owner == next {
			continue
		}
		after := point{p.hi, p.lo + 1}
		if after.lo == 0 {
			after.hi++
		}
		if after == (point{}) { // nothing lies beyond the last point
			continue
		}
		bounds = append(bounds, fmt.Sprintf("%016x%016x", after.hi, after.lo))
		owners = append(owners, fmt.Sprint(p.owner+1))
	}
	owners = append(owners, fmt.Sprint(r.places[0].owner+1))
	return fmt.Sprintf("(ARRAY[%s]::text[])[('{%s}'::int4[])[1 + width_bucket(md5(%s)::uuid, '{%s}'::uuid[])]]",
		literals(r.ids), strings.Join(owners, ","), key, strings.Join(bounds, ","))
}

func (m *RangeMap) ownerSQL(key string) string {
	froms, owners := make([]string, len(m.ranges)), make([]string, len(m.ranges))
	for i, r := range m.ranges {
		froms[i], owners[i] = r.From, r.Shard
	}
	return fmt.Sprintf(`(ARRAY[%s]::text[])[width_bucket((%s) COLLATE "C", ARRAY[%s]::text[])]`, literals(owners), key, literals(froms))
}

func (d *Directory) ownerSQL(key string) (string, error) {
	rest, err := OwnerSQL(d.rest, key)
	if err != nil {
		return "", err
	}
	if len(d.spans) > 0 {
		var b strings.Builder
		b.WriteString("CASE")
		for _, s := range d.spans {
			fmt.Fprintf(&b, ` WHEN (%s) COLLATE "C" >= %s`, key, literal(s.From))
			if s.To != "" {
				fmt.Fprintf(&b, ` AND (%s) COLLATE "C" < %s`, key, literal(s.To))
			}
			b.WriteString(" THEN " + literal(s.Shard))
		}
		rest = b.String() + " ELSE " + rest + " END"
	}
	if len(d.keys) == 0 {
		return rest, nil
	}
	pins, err := json.Marshal(d.keys)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("coalesce(%s::jsonb ->> (%s), %s)", literal(string(pins)), key, rest), nil
}

func literals(all []string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = literal(s)
	}
	return strings.Join(quoted, ",")
}

// literal quotes for any setting of standard_conforming_strings.
func literal(s string) string {
	return "E'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", `''`) + "'"
}
