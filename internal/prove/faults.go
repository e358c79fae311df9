package prove

import (
	"context"
	"fmt"
	"slices"
	"syscall"

	"github.com/stampede-shop/stampede/internal/local/proc"
)

// Supervised are processes that somebody starts again when they end.
type Supervised interface {
	// Processes are those that run now.
	Processes(ctx context.Context) ([]Process, error)
	// Healthy is nil when all of them do.
	Healthy(ctx context.Context) error
}

// ProcessFaults ends one process of each role by a signal: the kinds of death that a machine knows. The edge is restarted, as at
// a deploy.
func ProcessFaults(ctx context.Context, of Supervised) ([]Fault, error) {
	list, err := of.Processes(ctx)
	if err != nil {
		return nil, err
	}
	var faults []Fault
	for _, k := range []struct {
		role, verb string
		sig        syscall.Signal
	}{
		{RoleAPI, "kill", syscall.SIGKILL}, {RoleWorker, "kill", syscall.SIGKILL}, {RoleRedis, "kill", syscall.SIGKILL},
		{RoleReplica, "kill", syscall.SIGKILL}, {RoleQueue, "kill", syscall.SIGKILL}, {RoleEdge, "restart", syscall.SIGTERM},
	} {
		i := slices.IndexFunc(list, func(p Process) bool { return p.Role == k.role })
		if i < 0 {
			continue
		}
		faults = append(faults, signalled(of, list[i].Name, k.verb, k.sig))
	}
	if len(faults) == 0 {
		return nil, fmt.Errorf("%w: no process of the platform is known here", ErrCannot)
	}
	return faults, nil
}

// signalled is the fault of a process being sent a signal that ends it.
func signalled(of Supervised, name, verb string, sig syscall.Signal) Fault {
	var struck proc.Identity
	return Fault{
		Name: verb + " " + name,
		Inject: func(ctx context.Context) error {
			p, err := named(ctx, of, name)
			if err != nil {
				return err
			}
			id, ok := proc.IdentityOf(p.PID)
			if !ok {
				return fmt.Errorf("%s: there is no process %d here", name, p.PID)
			}
			struck = id
			return id.Signal(sig)
		},
		Recovered: func(ctx context.Context) error {
			p, err := named(ctx, of, name)
			if err != nil {
				return err
			}
			if struck.Alive() || p.PID == struck.Pid {
				return fmt.Errorf("%s has not ended yet", name)
			}
			return of.Healthy(ctx)
		},
	}
}

func named(ctx context.Context, of Supervised, name string) (Process, error) {
	list, err := of.Processes(ctx)
	if err != nil {
		return Process{}, err
	}
	i := slices.IndexFunc(list, func(p Process) bool { return p.Name == name && p.PID > 0 })
	if i < 0 {
		return Process{}, fmt.Errorf("%s does not run", name)
	}
	return list[i], nil
}
