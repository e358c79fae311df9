package proc

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports for servers come from here, below where systems take the ports of outgoing connections from:
// a client that dials such a port again and again while its server is away could be given that very
// port, and then keep the server from coming back.
const firstPort, lastPort = 20000, 32000

// FreePort is a TCP port of the loopback that nobody listens on at this moment.
func FreePort() (int, error) {
	for range 1000 {
		if port := firstPort + rand.IntN(lastPort-firstPort); PortFree(port) {
			return port, nil
		}
	}
	return 0, errors.New("no free port found on the loopback")
}

// PortFree reports whether nobody listens on a port of the loopback.
func PortFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
