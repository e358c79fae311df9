package config

import "time"

const (
	TrackDelay    = 50 * time.Millisecond // the platform's own events wait for company
	TrackPatience = time.Minute           // and for a queue that is away
	CollectorEnd  = 3 * time.Second
)
