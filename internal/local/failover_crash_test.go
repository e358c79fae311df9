package local

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// helperPlatform runs a platform that is looked after until somebody kills us. It prints the primary's pid and the catalogue's
// connection string once commits wait for two standbys.
func helperPlatform(data string) {
	ctx := context.Background()
	fail := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	l, err := Open(ctx, Options{Data: data, Replicas: 2, Shards: 1, Memory: 1 << 30})
	fail(err)
	s, err := NewSupervisor(l.Processes, SupervisorOptions{PidFile: l.Data.PidFile()})
	fail(err)
	fail(s.Start(ctx))
	f := l.StartFailover(s, FailoverOptions{})
	for len(l.clusters[0].roles.get().Members) < 2 {
		time.Sleep(10 * time.Millisecond)
	}
	for _, st := range s.Status() {
		if st.Name == f.Status()[0].Primary {
			fmt.Println(st.Pid, l.CatalogPrimary)
		}
	}
	select {}
}

// The primary is killed, and a moment later everything else is, whatever it was at. Nothing that was acknowledged is lost.
func TestSupervisorKilledMidFailover(t *testing.T) {
	t.Parallel()
	rounds := 2
	if os.Getenv("STAMPEDE_SOAK") != "" {
		rounds = 30
	}
	data := tempData(t)
	for round := range rounds {
		delay := rand.N(1200 * time.Millisecond)
		l := killedMidFailover(t, data, delay)
		g := upGuarded(t, Options{Data: data, Replicas: 2, Shards: 1})
		t.Logf("round %d: killed after %v; now the primary is %s", round, delay, g.PrimaryNames[0])
		l.check(g.CatalogPrimary)
		g.awaitSync(t, 2)
		l.check(g.CatalogPrimary)
		g.Failover.Stop()
		g.down(t)
	}
}

func killedMidFailover(t *testing.T, data string, delay time.Duration) *ledger {
	t.Helper()
	cmd := helper("platform", data)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	line, _ := bufio.NewReader(out).ReadString('\n')
	number, dsn, _ := strings.Cut(strings.TrimSpace(line), " ")
	pid, err := strconv.Atoi(number)
	if err != nil {
		t.Fatalf("the platform says %q", line)
	}
	l := writeLedger(t, dsn, 3)
	eventually(t, "writes", func() bool { return l.count() > 100 })
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	time.Sleep(delay) // any moment will do
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	l.end()
	return l
}
