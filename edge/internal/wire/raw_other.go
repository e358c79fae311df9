//go:build !unix

package wire

import (
	"net"
	"syscall"
)

func rawConn(net.Conn) syscall.RawConn { return nil }

func (c *Conn) turn(uintptr) bool { return true }

func writeSome(int, []byte) int { return 0 }
