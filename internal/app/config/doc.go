// Package config is what a platform can be told: the keys, their defaults, the YAML file and STAMPEDE_* variables they are read from,
// and what each value has to be. It knows no role and starts nothing.
package config
