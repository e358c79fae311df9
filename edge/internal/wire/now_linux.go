package wire

import (
	"syscall"
	"unsafe"
)

// readNow and writeNow are for descriptors that never wait. The runtime is not told of the call, which saves its bookkeeping, and keeps it
// from giving the processor to another thread when a write to a busy socket takes more than some 20 µs. p is not empty.
func readNow(fd int, p []byte) (int, error)  { return now(syscall.SYS_READ, fd, p) }
func writeNow(fd int, p []byte) (int, error) { return now(syscall.SYS_WRITE, fd, p) }

func now(call uintptr, fd int, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
