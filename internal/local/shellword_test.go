package local

import (
	"os/exec"
	"testing"
)

// A shell reads the word as what it was, one word.
func TestShellWord(t *testing.T) {
	t.Parallel()
	if got := ShellWord("/srv/my-shop_1.data"); got != "/srv/my-shop_1.data" {
		t.Errorf("quoted without need: %s", got)
	}
	for _, s := range []string{"", "/data with spaces", "it's", "$HOME/`x`", "a\nb", `a\b"c"`, "~/x", "*", "-x;y&z"} {
		out, err := exec.Command("sh", "-c", "printf '%s|' "+ShellWord(s)).Output()
		if err != nil || string(out) != s+"|" {
			t.Errorf("%q: a shell reads %q, %v", s, out, err)
		}
	}
}
