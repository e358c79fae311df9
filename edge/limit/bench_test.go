package limit

import (
	"net/http"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// cpuTime is what the process has used: on a busy machine it says more than the clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkDecide(b *testing.B) {
	l := newLimiter(b, Options{Classes: []Class{{Name: "all", Address: Rate{Requests: 1 << 40}, Session: Rate{Requests: 1 << 40}}}})
	var rs [1024]*http.Request
	for i := range rs {
		rs[i] = from("192.0.2."+strconv.Itoa(i%256)+":1234", http.MethodPost, "Cookie", "sid=1.YWJjZGVmZ2hpams."+strconv.Itoa(i))
	}
	b.Run("address", func(b *testing.B) {
		b.ReportAllocs()
		r := from("192.0.2.1:1", http.MethodGet)
		used := cpuTime()
		for b.Loop() {
			l.Decide(r)
		}
		b.ReportMetric(float64(cpuTime()-used)/float64(b.N), "cpu-ns/op")
	})
	b.Run("both", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		used := cpuTime()
		for b.Loop() {
			l.Decide(rs[i&1023])
			i++
		}
		b.ReportMetric(float64(cpuTime()-used)/float64(b.N), "cpu-ns/op")
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				l.Decide(rs[i&1023])
			}
		})
	})
}
