// Package parquet writes Parquet files of flat columns, fast: pages are not compressed, numbers are written as they are, texts as
// numbers in a dictionary, long runs of the same as such. It is for data that is column by column already and is to be read at once; what stays for long is written
// anew, smaller, by somebody with time.
//
// # Promises
//
//   - A file is complete when Close returns nil, and no Parquet file before.
//   - Memory is that of one row group.
//
// # When not to use it
//
// To read files, for nested columns, or where the size of files matters more than the time to write them.
package parquet
