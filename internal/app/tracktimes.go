package app

import "time"

const (
	trackDelay    = 50 * time.Millisecond // the platform's own events wait for company
	trackPatience = time.Minute           // and for a queue that is away
	collectorEnd  = 3 * time.Second
)
