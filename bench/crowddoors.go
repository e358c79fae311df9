package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// doors are the edges of a platform: its own, and others that stand beside it.
type doors struct {
	data string
	root int   // process of `up`
	pids []int // of the edges
	urls []string
	own  []*exec.Cmd // those we started
}

const doorLimit = 30 * time.Second // for an edge to be ready, and to end

// openDoors finds the platform's edge and starts more until there are n. Close what it returns, also beside an error.
func openDoors(ctx context.Context, data string, n int) (d *doors, err error) {
	d = &doors{data: data}
	root, edge, err := platformPIDs(ctx, data)
	if err != nil {
		return d, err
	}
	st, err := statusOf(ctx, data)
	if err != nil {
		return d, err
	}
	d.root, d.pids, d.urls = root, []int{edge}, []string{st.URL}
	for len(d.pids) < n && err == nil {
		err = d.open(ctx)
	}
	return d, err
}

// open starts an edge as the platform's own is started, with a cache and places of its own.
func (d *doors) open(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()                          // the child has its own
	file, err := l.(*net.TCPListener).File() //nolint:forcetypeassert // it listens on tcp
	if err != nil {
		return err
	}
	defer file.Close()
	name := "edge-" + strconv.Itoa(len(d.pids)+1)
	cmd := exec.Command("bin/stampede", "edge", "--config", filepath.Join(d.data, "run", "config.yaml"), "--name", name, "--listen", "fd:3", "--ops", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "STAMPEDE_EDGE_CACHE_DIR="+filepath.Join(d.data, name), "STAMPEDE_EDGE_WAITROOM_FILE="+filepath.Join(d.data, name+".places"))
	cmd.ExtraFiles, cmd.SysProcAttr = []*os.File{file}, &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return err
	}
	url := "http://" + l.Addr().String()
	d.own, d.pids, d.urls = append(d.own, cmd), append(d.pids, cmd.Process.Pid), append(d.urls, url)
	return waitUntilServed(ctx, url+"/products?limit=1")
}

// waitUntilServed asks until the answer is 200.
func waitUntilServed(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, doorLimit)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(res.Status)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not served: %w", url, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// close ends those we started.
func (d *doors) close() (err error) {
	for _, cmd := range d.own {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(doorLimit, func() { _ = cmd.Process.Kill() })
		if werr := cmd.Wait(); werr != nil {
			err = errors.Join(err, fmt.Errorf("an edge beside the platform: %w", werr))
		}
		kill.Stop()
	}
	d.own = nil
	return err
}

// sizes are memory in MiB, and open files.
type sizes struct {
	platform, edges float64
	files           int
}

func (d *doors) look() (s sizes) {
	s.platform = memoryOf(d.root)
	for i, pid := range d.pids {
		m := pss(pid)
		s.edges, s.files = s.edges+m, s.files+openFiles(pid)
		if i > 0 { // the first is among the platform's own
			s.platform += m
		}
	}
	return s
}

func (s sizes) most(o sizes) sizes {
	return sizes{max(s.platform, o.platform), max(s.edges, o.edges), max(s.files, o.files)}
}

// crowd has a generator load each door, and watches memory meanwhile.
func (d *doors) crowd(ctx context.Context, args []string) (map[string]any, error) {
	watched, stop := context.WithCancel(ctx)
	defer stop()
	var most sizes
	var watch, loads sync.WaitGroup
	watch.Go(func() {
		for watched.Err() == nil {
			most = most.most(d.look())
			select {
			case <-watched.Done():
			case <-time.After(time.Second):
			}
		}
	})
	reports, errs := make([]loadReport, len(d.urls)), make([]error, len(d.urls))
	for i, url := range d.urls {
		loads.Go(func() {
			out, err := stampede(ctx, append([]string{"load", "--target", url, "--json", "--seed", strconv.Itoa(i + 1)}, args...)...)
			if jsonErr := json.Unmarshal(out, &reports[i]); jsonErr != nil {
				errs[i] = errors.Join(err, jsonErr)
			} // that some were answered badly is told below
		})
	}
	loads.Wait()
	stop()
	watch.Wait()
	details := together(reports)
	details["platform_mib"], details["edge_mib"], details["edge_files"] = most.platform, most.edges, most.files
	return details, errors.Join(errs...)
}

// together adds reports of one load up; times are the worst of all.
func together(reports []loadReport) map[string]any {
	var all loadReport
	bad := map[string]int64{}
	worst := map[string]float64{}
	for _, r := range reports {
		all.Summary.Total, all.Summary.Orders = all.Summary.Total+r.Summary.Total, all.Summary.Orders+r.Summary.Orders
		all.Summary.Duration = max(all.Summary.Duration, r.Summary.Duration)
		all.Summary.Invalid = append(all.Summary.Invalid, r.Summary.Invalid...)
		for kind, e := range r.Errors {
			bad[kind] += e.Count
		}
		for name, v := range map[string]float64{"browse_p95_s": r.Times["browse"].P95, "checkout_p99_s": r.Times["checkout"].P99} {
			worst[name] = max(worst[name], v)
		}
	}
	details := map[string]any{"requests": all.Summary.Total, "seconds": all.Summary.Duration, "bad": bad, "orders": all.Summary.Orders, "generator": all.Summary.Invalid}
	for name, v := range maps.All(worst) {
		details[name] = v
	}
	return details
}
