// Package querydb finds the databases and servers of a platform whose statements can be looked at, and reads what they have counted.
package querydb
