// Package jobs is what the worker does: with each message of the queue, and at regular intervals.
//
// Every job may be repeated and may run in several workers at once. Mail is the only one whose effect is outside our
// databases: an order's .eml file is written once; by SMTP a mail may, rarely, be sent twice, with the same Message-ID.
package jobs
