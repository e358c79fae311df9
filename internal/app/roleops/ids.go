package roleops

import "github.com/google/uuid"

// NewID is a new id, in the order of time (UUID version 7, RFC 9562).
func NewID() string { return uuid.Must(uuid.NewV7()).String() }
