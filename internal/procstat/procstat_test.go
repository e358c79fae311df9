package procstat

import (
	"os"
	"runtime"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	p, ok := parse([]byte("12 (a) b) S 7 1 1 0 -1 4194560 1 1 1 1 7 8 9 10 20 0 1 0 1 1 3 1"))
	if !ok || p.Parent != 7 || p.Ticks != 34 || p.Resident != 3*int64(os.Getpagesize()) || p.Seconds() != 0.34 {
		t.Errorf("%+v, %v", p, ok)
	}
	for _, bad := range []string{"", "12 (a", "12 (a) S 7", "12 a S 7 1 1 0 -1 4194560 1 1 1 1 7 8 9 10 20 0 1 0 1 1 3 1"} {
		if _, ok := parse([]byte(bad)); ok {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestThisProcess(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only known on Linux")
	}
	me, ok := All()[os.Getpid()]
	if !ok || me.PID != os.Getpid() || me.Parent != os.Getppid() || me.Resident < 1<<20 {
		t.Errorf("%+v, %v", me, ok)
	}
	if _, ok := Read(1 << 30); ok {
		t.Error("a process that cannot be")
	}
}
