package config

import "time"

// TelemetryConfig is what a process keeps of how it fared.
type TelemetryConfig struct {
	// Enabled measures requests, statements and messages by name; without it nothing else here is done either.
	Enabled bool `koanf:"enabled"`
	// Dir is where CPU and heap profiles and traces of slow moments go, a folder for each process; empty: none are made.
	Dir string `koanf:"dir"`
	// Profile takes a CPU profile of five seconds and a heap profile each minute.
	Profile bool `koanf:"profile"`
	// Flight keeps the execution trace of the last seconds in memory, and writes it when a request takes longer than Slow, or the 99th
	// percentile jumps.
	Flight bool          `koanf:"flight"`
	Slow   time.Duration `koanf:"slow"`
	// Spans remembers what the last requests spent their time on, and longer what slow and failed ones did.
	Spans bool `koanf:"spans"`
}

func (c TelemetryConfig) validate(bad complain) {
	if c.Slow < 10*time.Millisecond {
		bad("telemetry.slow", c.Slow, "10ms at least")
	}
}
