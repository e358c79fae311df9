package prove

// Process is one of the platform's; those that it started itself count as part of it.
type Process struct {
	Name string
	Role string
	PID  int
}
