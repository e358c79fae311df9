//go:build !linux

package proc

import "syscall"

// setDeathSignal has no counterpart here; a guard does it.
func setDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}

func startGuard(pid int, sig syscall.Signal) *guard { return newGuard(pid, sig) }
