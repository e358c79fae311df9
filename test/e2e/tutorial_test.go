package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// block is a fenced block of a tutorial: commands for a shell, or a file to write.
type block struct {
	lang, file, text string
	skip             bool
}

var fence = regexp.MustCompile("(?ms)^```(sh|go)( skip)?( file=(\\S+))?\n(.*?)^```$")

func blocksOf(text string) (list []block) {
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		list = append(list, block{lang: m[1], skip: m[2] != "", file: m[4], text: m[5]})
	}
	return list
}

// script joins a tutorial's commands, so that what one sets the next has. After a line "# => text" the output of the command before
// it must hold the text.
func script(blocks []block) string {
	var b strings.Builder
	b.WriteString("set -u\nexec 2>&1\nsays() { grep -qF -- \"$1\" out || { echo \"WRONG: no '$1' in the answer:\"; cat out; exit 1; }; }\n")
	for _, bl := range blocks {
		if bl.skip {
			continue
		}
		if bl.file != "" {
			fmt.Fprintf(&b, "cat > \"$TOP/%s\" <<'END_OF_FILE'\n%sEND_OF_FILE\n", bl.file, bl.text)
			continue
		}
		lines := strings.Split(strings.TrimSuffix(bl.text, "\n"), "\n")
		for i := 0; i < len(lines); i++ {
			var expected []string
			command := lines[i]
			for strings.HasSuffix(command, "\\") && i+1 < len(lines) {
				i++
				command += "\n" + lines[i]
			}
			for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "# => ") {
				i++
				expected = append(expected, strings.TrimPrefix(lines[i], "# => "))
			}
			if len(expected) == 0 {
				fmt.Fprintln(&b, command)
				continue
			}
			fmt.Fprintf(&b, "echo '+' %q\n{ %s\n} > \"$TOP/out\"\n", command, command)
			for _, e := range expected {
				fmt.Fprintf(&b, "( cd \"$TOP\"; says '%s' ) || exit 1\n", strings.ReplaceAll(e, "'", `'\''`))
			}
		}
	}
	return b.String()
}

// The tutorials do what they say, on a platform of the tests' own.
func TestTutorials(t *testing.T) {
	pages, err := filepath.Glob("../../docs/tutorials/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no tutorials: %v", err)
	}
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		t.Run(strings.TrimSuffix(filepath.Base(page), ".md"), func(t *testing.T) {
			raw, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			text := string(raw)
			p := shared.get(t)
			top := t.TempDir()
			for from, to := range map[string]string{
				"localhost:8000": strings.TrimPrefix(p.URL, "http://"), "localhost:8001": strings.TrimPrefix(p.Ops, "http://"),
				".stampede/": p.data + "/", "127.0.0.1:8099": freeAddress(t),
				"go get github.com/stampede-shop/stampede@latest": "go mod edit -require=github.com/stampede-shop/stampede@v0.0.0 -replace=github.com/stampede-shop/stampede=" +
					repo + " && cp " + repo + "/go.sum . && export GOFLAGS=-mod=mod",
			} {
				text = strings.ReplaceAll(text, from, to)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
			defer cancel()
			if err := os.Mkdir(filepath.Join(top, "bin"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(binary, filepath.Join(top, "bin", "stampede")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(p.data, filepath.Join(top, ".stampede")); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(ctx, "bash", "-c", script(blocksOf(text)))
			cmd.Dir, cmd.Env = top, append(os.Environ(), "TOP="+top)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what a page starts in the background ends with it
			cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
			cmd.WaitDelay = 5 * time.Second
			out, err := cmd.CombinedOutput()
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // nothing is left of a page that went well
			if err != nil || strings.Contains(string(out), "WRONG:") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// freeAddress is an address on loopback where nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
