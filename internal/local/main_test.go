package local

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stampede-shop/stampede/internal/local/proc"
)

// helperEnv makes the test binary act as a program of its own instead of running tests.
const helperEnv = "STAMPEDE_TEST_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helperEnv) {
	case "":
		os.Exit(m.Run())
	case "supervise":
		helperSupervise(os.Args[1])
	case "listen":
		helperListen()
	case "prepare":
		helperPrepare()
	case "platform":
		helperPlatform(os.Args[1])
	}
}

// helperSupervise runs one child until somebody kills us, and prints its pid.
func helperSupervise(pidFile string) {
	s, err := NewSupervisor([]Process{shell("child", "exec sleep 600")}, SupervisorOptions{PidFile: pidFile})
	if err == nil {
		err = s.Start(context.Background())
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.Status()[0].Pid)
	select {}
}

// helperPrepare is in the middle of what comes before a server's start, and prints the pid of the program that does it.
func helperPrepare() {
	cmd := exec.Command("/bin/sh", "-c", "echo $$ >&3; exec sleep 600 3>&-")
	cmd.ExtraFiles = []*os.File{os.Stdout}
	_, _ = proc.Run(context.Background(), cmd)
}

// helperListen takes one connection from the inherited socket, and says who it is.
func helperListen() {
	l, err := InheritedListener()
	if err != nil || l == nil {
		fmt.Println("no listener:", err)
		os.Exit(1)
	}
	conn, err := l.Accept()
	if err != nil {
		os.Exit(1)
	}
	fmt.Fprintf(conn, "%d", os.Getpid())
	_ = conn.Close()
}

func helper(role string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), helperEnv+"="+role)
	return cmd
}

// shell is a process that runs a shell script.
func shell(name, script string, needs ...string) Process {
	return Process{Name: name, Needs: needs, Command: func() (*exec.Cmd, error) {
		return exec.Command("/bin/sh", "-c", script), nil
	}}
}
