package local

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
)

// ListenFDEnv names the environment variable that tells a child the number of the descriptor of a
// listening socket it was given. The first of exec.Cmd's ExtraFiles is number 3.
const ListenFDEnv = "STAMPEDE_LISTEN_FD"

// ListenerFile makes a file of a listening socket, to be handed to children as an ExtraFile, again for
// each one that is started. As long as it or the listener is open, connections made while no child runs
// wait in the socket's backlog and are refused to nobody.
func ListenerFile(l net.Listener) (*os.File, error) {
	f, ok := l.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, fmt.Errorf("a %T cannot be handed to a child", l)
	}
	return f.File()
}

// InheritedListener is the listening socket that our parent gave us; nil when it gave none.
func InheritedListener() (net.Listener, error) {
	value := os.Getenv(ListenFDEnv)
	if value == "" {
		return nil, nil
	}
	fd, err := strconv.Atoi(value)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s is %q; a descriptor number from 3 on is allowed", ListenFDEnv, value)
	}
	f := os.NewFile(uintptr(fd), "inherited listener")
	if f == nil {
		return nil, errors.New("the inherited listener is not open")
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("%s names descriptor %d: %w", ListenFDEnv, fd, err)
	}
	return l, nil
}
