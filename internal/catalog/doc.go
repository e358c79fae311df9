// Package catalog makes products: it reads them from import files (NDJSON, JSON arrays, CSV) and invents synthetic ones.
//
// Both give streams of [shop.CatalogItem], so that a catalogue of any size passes through in little memory. Reading
// never stops at a bad record: it is reported with its line, field and reason, and the good ones go on.
// What is done with the items is up to the caller; the package imports only the standard library and shop.
package catalog
