package ident

import (
	"errors"
	"slices"
	"syscall"
)

// Tree is a process and all below it at this moment, itself first.
func Tree(root Identity) ([]Identity, error) {
	if !root.Alive() {
		return nil, ErrGone
	}
	table, err := parents()
	if err != nil {
		return nil, err
	}
	below := map[int][]int{}
	for pid, parent := range table {
		below[parent] = append(below[parent], pid)
	}
	list := []Identity{root}
	for i := 0; i < len(list); i++ {
		for _, pid := range below[list[i].Pid] {
			if id, ok := Of(pid); ok {
				list = append(list, id)
			}
		}
	}
	return list, nil
}

// Freeze halts a process and all below it. Whoever is halted starts nobody, so looking again until nobody new is there finds
// all. note is told of processes before they are halted.
func Freeze(root Identity, note func([]Identity) error) error {
	var frozen []Identity
	for {
		tree, err := Tree(root)
		if err != nil {
			return errors.Join(err, Thaw(frozen))
		}
		fresh := slices.DeleteFunc(tree, func(id Identity) bool { return slices.Contains(frozen, id) })
		if len(fresh) == 0 {
			return nil
		}
		frozen = append(frozen, fresh...)
		if err := note(frozen); err != nil {
			return errors.Join(err, Thaw(frozen))
		}
		for _, id := range fresh {
			if err := IgnoreGone(id.Signal(syscall.SIGSTOP)); err != nil {
				return errors.Join(err, Thaw(frozen))
			}
		}
	}
}

// Thaw lets processes go on, children before parents, so that a parent finds them as it left them.
func Thaw(list []Identity) error {
	var errs []error
	for _, id := range slices.Backward(list) {
		errs = append(errs, IgnoreGone(id.Signal(syscall.SIGCONT)))
	}
	return errors.Join(errs...)
}
