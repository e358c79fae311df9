package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// loadServerEnv makes this program a trivial shop that listens there.
const loadServerEnv = "STAMPEDE_BENCH_SHOP"

// loadProducts is how many products the trivial shop has, each of about one KiB.
const loadProducts = 1000

// trivialShop answers lists and products with prepared bytes, as cheaply as a server can, so that what is measured is who
// asks. A list holds as many products as "list=" in the query says, else one.
type trivialShop struct {
	products [][]byte // answers, by id
	lists    map[int][]byte
}

func newTrivialShop() *trivialShop {
	s := &trivialShop{lists: map[int][]byte{}}
	var bodies []string
	for id := range loadProducts {
		body := fmt.Sprintf(`{"id":%d,"sku":"S%d","name":"Thing %d","brand":"Brand %d","category":"a/b%d","price":%d,"currency":"USD","availability":"in_stock","rating":4.5,"attributes":{"colour":"red"},"description":"%s"}`,
			id+1, id+1, id+1, id%7, id%5, 100+id, strings.Repeat("words ", 138))
		bodies = append(bodies, body)
		s.products = append(s.products, httpAnswer(body))
	}
	for _, n := range []int{1, 20, 100} {
		s.lists[n] = httpAnswer("[" + strings.Join(bodies[:n], ",") + "]")
	}
	return s
}

func httpAnswer(body string) []byte {
	return []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

func (s *trivialShop) serve(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	list := s.lists[1]
	if n, err := strconv.Atoi(os.Getenv(loadServerEnv + "_LIST")); err == nil && s.lists[n] != nil {
		list = s.lists[n]
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go s.answer(c, list)
	}
}

// answer reads requests, which are small and come one at a time, and answers them.
func (s *trivialShop) answer(c net.Conn, list []byte) {
	defer func() { _ = c.Close() }()
	buf := make([]byte, 8<<10)
	n := 0
	for {
		got, err := c.Read(buf[n:])
		if err != nil {
			return
		}
		if n += got; !bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
			if n == len(buf) {
				return
			}
			continue
		}
		out := list
		if id, ok := bytes.CutPrefix(buf[:n], []byte("GET /products/")); ok {
			end := bytes.IndexByte(id, ' ')
			k, err := strconv.Atoi(string(id[:max(end, 0)]))
			if err != nil || k < 1 || k > len(s.products) {
				return
			}
			out = s.products[k-1]
		} else if bytes.Contains(buf[:n], []byte("limit=100")) {
			out = s.lists[100]
		}
		if _, err := c.Write(out); err != nil {
			return
		}
		n = 0
	}
}

// startTrivialShop runs the trivial shop on the first core, until stop is called.
func startTrivialShop(ctx context.Context, list int) (addr string, stop func(), err error) {
	ports, err := freePorts(1)
	if err != nil {
		return "", nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, "taskset", "-c", "0", self)
	cmd.Env = append(os.Environ(), loadServerEnv+"="+ports[0], loadServerEnv+"_LIST="+strconv.Itoa(list), "GOMAXPROCS=1")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		cancel()
		return "", nil, err
	}
	stop = func() { cancel(); _ = cmd.Wait() }
	if err := fill(ctx, "http://"+ports[0]+"/products?limit=20"); err != nil {
		stop()
		return "", nil, err
	}
	return ports[0], stop, nil
}
