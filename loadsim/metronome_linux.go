package loadsim

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// metronome waits for moments more exactly than timers of the Go runtime, which sleeps in whole milliseconds: the kernel's
// timer wakes it the way an answer on a connection does, within about 60 µs on an idle machine. The zero metronome has the
// runtime's timers alone.
type metronome struct {
	file *os.File
	raw  int
	buf  [8]byte
}

func newMetronome() *metronome {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return &metronome{}
	}
	return &metronome{file: os.NewFile(uintptr(fd), "timer"), raw: fd}
}

func (m *metronome) stop() {
	if m.file != nil {
		_ = m.file.Close()
	}
}

// wait returns at that moment, or when ctx ends.
func (m *metronome) wait(ctx context.Context, until time.Time) {
	for ctx.Err() == nil {
		left := time.Until(until)
		if left <= 0 {
			return
		}
		// the timer has no ear for ctx: look up now and then
		spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(min(left, 50*time.Millisecond)))}
		if m.file == nil || unix.TimerfdSettime(m.raw, 0, &spec, nil) != nil {
			pause(ctx, left)
			continue
		}
		if _, err := m.file.Read(m.buf[:]); err != nil {
			pause(ctx, left)
		}
	}
}
