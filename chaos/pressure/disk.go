package pressure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/stampede-shop/stampede/chaos"
)

// DiskFault is the name of the fault.
const DiskFault = "disk-fill"

// least is what is always left free: enough for a journal and a few logs.
const least = 16 << 20

const fillPattern = "chaos-fill-*"

// Disk is a fault that fills the file system on which a folder is, by a file in it.
func Disk(folder string) chaos.Fault {
	return chaos.Fault{
		Name: DiskFault, About: "fills the file system of the data folder, by a file, except for a rest", Blast: "everybody who writes to that file system",
		Limit: 2 * time.Minute,
		Params: []chaos.Param{
			{Name: "leave", About: "how much stays free; at least 16MiB", Kind: chaos.Size, Default: "64MiB"},
			{Name: "most", About: "the most that is taken: the fault is refused where more would be needed", Kind: chaos.Size, Default: "2GiB"},
		},
		Available: func(context.Context) error { _, err := room(folder); return err },
		Plan:      func(_ context.Context, v chaos.Values) (chaos.Plan, error) { return planFill(folder, v) },
		Recover: func(_ context.Context, state json.RawMessage) error {
			var path string
			if err := json.Unmarshal(state, &path); err != nil {
				return err
			}
			return removeFill(path)
		},
	}
}

func planFill(folder string, v chaos.Values) (chaos.Plan, error) {
	free, err := room(folder)
	if err != nil {
		return chaos.Plan{}, err
	}
	leave := max(v.Size("leave"), least)
	take := free - leave
	switch {
	case take <= 0:
		return chaos.Plan{}, fmt.Errorf("%w: only %d MiB are free as it is", chaos.ErrUnavailable, free>>20)
	case take > v.Size("most"):
		return chaos.Plan{}, fmt.Errorf("%w: %d MiB are free, so that filling up would take %d MiB; most allows %d MiB: put the folder on a small file system of its own",
			chaos.ErrUnavailable, free>>20, take>>20, v.Size("most")>>20)
	}
	path := filepath.Join(folder, "chaos-fill-"+time.Now().UTC().Format("20060102T150405.000000000"))
	return chaos.Plan{Target: "disk " + folder, State: path, Inject: func(ctx context.Context, _ func(any) error) (chaos.Undo, error) {
		if err := fill(ctx, path, take); err != nil {
			return nil, errors.Join(err, removeFill(path))
		}
		return func(context.Context) error { return removeFill(path) }, nil
	}}, nil
}

// removeFill removes a file that we made, and nothing else.
func removeFill(path string) error {
	if ok, _ := filepath.Match(fillPattern, filepath.Base(path)); !ok {
		return fmt.Errorf("%s was not made to fill a disk", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// fill writes so many bytes, or as many as there is room for.
func fill(ctx context.Context, path string, n int64) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	zeros := make([]byte, 1<<20)
	for n > 0 && ctx.Err() == nil {
		k, err := f.Write(zeros[:min(n, int64(len(zeros)))])
		n -= int64(k)
		if errors.Is(err, syscall.ENOSPC) {
			break // somebody else was quicker: it is full all the same
		}
		if err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return ctx.Err()
}

// room is how many bytes we could write where a folder is.
func room(folder string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(folder, &st); err != nil {
		return 0, fmt.Errorf("how much is free where %s is: %w", folder, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
