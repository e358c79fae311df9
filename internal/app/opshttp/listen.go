package opshttp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Listen opens host:port, unix:PATH (a stale socket is replaced) or fd:N (a listener inherited from the supervisor).
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	if n, ok := strings.CutPrefix(addr, "fd:"); ok {
		return listenFD(n)
	}
	path, ok := strings.CutPrefix(addr, "unix:")
	if !ok {
		return new(net.ListenConfig).Listen(ctx, "tcp", addr)
	}
	if err := removeStaleSocket(ctx, path); err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o600)
}

func listenFD(n string) (net.Listener, error) {
	fd, err := strconv.Atoi(n)
	if err != nil {
		return nil, fmt.Errorf("listen address fd:%s: not a number", n)
	}
	f := os.NewFile(uintptr(fd), "listener")
	if f == nil {
		return nil, fmt.Errorf("listen address fd:%d: no such descriptor", fd)
	}
	defer func() { _ = f.Close() }() // FileListener keeps a duplicate
	return net.FileListener(f)
}

// removeStaleSocket removes what a killed process left; a socket somebody answers on is in use.
func removeStaleSocket(ctx context.Context, path string) error {
	dialer := net.Dialer{Timeout: time.Second}
	if conn, err := dialer.DialContext(ctx, "unix", path); err == nil {
		_ = conn.Close()
		return fmt.Errorf("%s is in use by another process", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// ClientFor returns an HTTP client and base URL for host:port or unix:PATH.
func ClientFor(addr string, timeout time.Duration) (*http.Client, string) {
	path, ok := strings.CutPrefix(addr, "unix:")
	if !ok {
		if !strings.Contains(addr, "://") {
			addr = "http://" + addr
		}
		return &http.Client{Timeout: timeout}, strings.TrimSuffix(addr, "/")
	}
	dialer := net.Dialer{Timeout: timeout}
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", path)
	}}
	return &http.Client{Timeout: timeout, Transport: tr}, "http://local"
}
