package pressure

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/chaos"
)

// Names of the faults.
const (
	CPUFault    = "cpu-pressure"
	MemoryFault = "memory-pressure"
)

const limit = 5 * time.Minute

// Command makes a command that runs this program so that it calls Serve with args, with its standard input and output.
type Command func(args ...string) *exec.Cmd

// Faults are those of processor and memory of this machine.
func Faults(command Command) []chaos.Fault {
	return []chaos.Fault{
		{
			Name: CPUFault, About: "keeps processors busy", Blast: "everybody on this machine", Limit: limit,
			Params: []chaos.Param{
				{Name: "workers", About: "processors to keep busy; as many as there are when not given", Kind: chaos.Number, Default: strconv.Itoa(runtime.NumCPU())},
				{Name: "share", About: "share of their time", Kind: chaos.Share, Default: "0.8"},
			},
			Plan: func(_ context.Context, v chaos.Values) (chaos.Plan, error) {
				if n := v.Number("workers"); n < 1 || n > 4*runtime.NumCPU() || v.Share("share") == 0 {
					return chaos.Plan{}, fmt.Errorf("%w: workers from 1 to four times the processors, here %d, and a share above 0", chaos.ErrParams, 4*runtime.NumCPU())
				}
				return press("cpu", command(cpuWord, v.Text("workers"), strconv.FormatFloat(v.Share("share"), 'f', -1, 64))), nil
			},
		},
		{
			Name: MemoryFault, About: "holds memory", Blast: "everybody on this machine", Limit: limit,
			Params: []chaos.Param{{Name: "size", About: "how much; at most half of what is free", Kind: chaos.Size, Required: true}},
			Plan: func(_ context.Context, v chaos.Values) (chaos.Plan, error) {
				free, err := freeMemory()
				if err == nil && (v.Size("size") > free/2 || v.Size("size") == 0) {
					err = fmt.Errorf("%w: size from 1 B to half of the %d MiB of memory that are free", chaos.ErrParams, free>>20)
				}
				if err != nil {
					return chaos.Plan{}, err
				}
				return press("memory", command(memoryWord, strconv.FormatInt(v.Size("size"), 10))), nil
			},
			Available: func(context.Context) error { _, err := freeMemory(); return err },
		},
	}
}

// press runs a command until it is undone; the command ends by itself when we do.
func press(target string, cmd *exec.Cmd) chaos.Plan {
	return chaos.Plan{Target: target, Inject: func(ctx context.Context, _ func(any) error) (chaos.Undo, error) {
		said := &strings.Builder{}
		cmd.Stderr = said
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		end := func(context.Context) error {
			_ = in.Close()
			_ = cmd.Process.Kill() // it holds nothing that would have to be put back
			_ = cmd.Wait()
			return nil
		}
		if err := awaitLine(ctx, bufio.NewReader(out)); err != nil {
			_ = end(ctx)
			return nil, fmt.Errorf("the process that was to press: %w: %s", err, said)
		}
		return end, nil
	}}
}

// awaitLine waits for the process to say that it presses.
func awaitLine(ctx context.Context, out *bufio.Reader) error {
	line := make(chan error, 1)
	go func() {
		_, err := out.ReadString('\n')
		line <- err
	}()
	select {
	case err := <-line:
		return err
	case <-ctx.Done():
		return errors.Join(ctx.Err(), errors.New("it does not begin"))
	}
}
