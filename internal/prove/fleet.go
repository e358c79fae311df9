package prove

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/stampede-shop/stampede/internal/local"
	"github.com/stampede-shop/stampede/internal/local/proc"
	"github.com/stampede-shop/stampede/internal/prove/cpushare"
)

// Fleet are processes of this machine that serve HTTP, each held to a share of a core. They end with us.
type Fleet struct {
	share   float64
	command func(number int) (*exec.Cmd, error)
	spawner *proc.Spawner
	ships   []*ship
}

type ship struct {
	url   string
	child *proc.Child
	group *cpushare.Group
}

const (
	startLimit = 30 * time.Second
	stopLimit  = 15 * time.Second
)

// NewFleet makes an empty one. command makes a process that serves on descriptor 3 and answers /readyz when it is ready. Where
// processes cannot be held to a share the error is ErrCannot.
func NewFleet(share float64, command func(number int) (*exec.Cmd, error)) (*Fleet, error) {
	try, err := cpushare.New(share)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannot, err)
	}
	if err := try.Close(); err != nil {
		return nil, err
	}
	return &Fleet{share: share, command: command, spawner: proc.NewSpawner()}, nil
}

// Start starts n more and waits until all are ready. They are not held yet: starting is not what is measured.
func (f *Fleet) Start(ctx context.Context, n int) (urls []string, err error) {
	had := len(f.ships)
	for range n {
		if err := f.launch(ctx); err != nil {
			return nil, err
		}
	}
	for i, s := range f.ships[had:] {
		if err := s.ready(ctx); err != nil {
			return nil, fmt.Errorf("API server %d does not get ready: %w", had+i+1, err)
		}
		urls = append(urls, s.url)
	}
	return urls, nil
}

// Hold holds all to their share, or lets them have what there is.
func (f *Fleet) Hold(on bool) error {
	for _, s := range f.ships {
		if err := s.group.Hold(on); err != nil {
			return fmt.Errorf("%w: change a quota: %w", ErrCannot, err)
		}
	}
	return nil
}

// Had is what those that serve at urls have had of their share so far.
func (f *Fleet) Had(urls []string) (sum Had) {
	for _, s := range f.ships {
		if slices.Contains(urls, s.url) {
			t := s.group.Throttled()
			sum.CPU, sum.Stood = sum.CPU+processorTime(s.child.Pid()), sum.Stood+t.For.Seconds()
			sum.Periods, sum.Stopped = sum.Periods+t.Periods, sum.Stopped+t.Stopped
		}
	}
	return sum
}

// launch starts one, in a control group of its own that does not hold it yet.
func (f *Fleet) launch(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // the child has its own
	file, err := local.ListenerFile(l)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	cmd, err := f.command(len(f.ships) + 1)
	if err != nil {
		return err
	}
	cmd.ExtraFiles = []*os.File{file}
	s := &ship{url: "http://" + l.Addr().String()}
	if s.group, err = cpushare.New(f.share); err != nil {
		return fmt.Errorf("%w: %w", ErrCannot, err)
	}
	if s.child, err = f.spawner.Start(cmd, syscall.SIGKILL); err != nil {
		return errors.Join(err, s.group.Close())
	}
	f.ships = append(f.ships, s)
	err = s.group.Add(s.child.Pid())
	if errors.Is(err, syscall.ESRCH) {
		err = nil // it has ended already, and will not get ready
	}
	if err = errors.Join(s.group.Hold(false), err); err != nil {
		return fmt.Errorf("%w: move process %d into its control group: %w", ErrCannot, s.child.Pid(), err)
	}
	return nil
}

func (s *ship) ready(ctx context.Context) error {
	client := &http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return await(ctx, startLimit, func() error {
		select {
		case <-s.child.Done():
			cancel()
			return fmt.Errorf("it ended: %w", s.child.Err())
		default:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return errors.New(res.Status)
		}
		return nil
	})
}

// Close ends them all.
func (f *Fleet) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	for _, s := range f.ships {
		_ = s.child.Signal(syscall.SIGTERM)
	}
	var errs []error
	for _, s := range f.ships {
		s.child.Stop(ctx, syscall.SIGTERM, stopLimit)
		errs = append(errs, s.group.Close())
	}
	f.ships = nil
	f.spawner.Close()
	return errors.Join(errs...)
}
