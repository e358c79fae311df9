// Package running is a platform as other commands see it: where its data folder says that it is, what it answers about itself, and a
// client of its operations endpoint.
package running
