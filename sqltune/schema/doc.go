// Package schema knows the tables of a database as far as finding and judging indexes needs it: sizes, what columns hold, what indexes
// there are and who uses them, and how often rows are written. [Read] asks the system catalogues for it, in a few queries whatever the
// number of tables.
package schema
