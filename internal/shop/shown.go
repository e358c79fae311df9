package shop

import "time"

// ShownFor is how long a process goes on showing stock and counts that it has read before it reads anew. Whoever passes
// them on takes them to be as old as that, so that with what the edge adds they are never older than a second.
const ShownFor = 200 * time.Millisecond
