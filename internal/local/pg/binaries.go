package pg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"time"
)

// MinMajor is the oldest PostgreSQL that the settings written here fit.
const MinMajor = 14

// ErrNotFound is returned (wrapped, with what to install) when no usable PostgreSQL is there.
var ErrNotFound = errors.New("PostgreSQL not found")

// Binaries is one installed PostgreSQL.
type Binaries struct {
	Dir     string // the folder with postgres, initdb and pg_basebackup
	Major   int    // 15
	Version string // the whole line of `postgres --version`
}

// Path is the full path of one of its programs.
func (b Binaries) Path(name string) string { return filepath.Join(b.Dir, name) }

var versionRE = regexp.MustCompile(`(\d+)`)

// Find looks for PostgreSQL: in PATH, in Debian's versioned folders (newest first), in Homebrew's.
// major asks for that major version (a data directory can only be opened by its own); 0 takes the first.
func Find(major int) (Binaries, error) {
	for _, dir := range candidates() {
		b, err := inspect(dir)
		if err != nil || b.Major < MinMajor || (major != 0 && b.Major != major) {
			continue
		}
		return b, nil
	}
	return Binaries{}, notFound(major)
}

func notFound(major int) error {
	if major != 0 {
		return fmt.Errorf("%w: the data was made by version %d and needs it; install it (apt-get install postgresql-%d, or: brew install postgresql@%d), or start over with --fresh",
			ErrNotFound, major, major, major)
	}
	return fmt.Errorf("%w: version %d or newer is needed in PATH or /usr/lib/postgresql; install it: apt-get install postgresql (Debian, Ubuntu) or brew install postgresql@17 (macOS)",
		ErrNotFound, MinMajor)
}

func candidates() []string {
	var dirs []string
	if p, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin",
		"/opt/homebrew/opt/postgresql/bin",
		"/usr/local/opt/postgresql/bin",
	} {
		found, _ := filepath.Glob(pattern)
		sort.Slice(found, func(i, j int) bool { return number(found[i]) > number(found[j]) })
		dirs = append(dirs, found...)
	}
	return dirs
}

// number is the first number in s, for putting versions in order; 0 when there is none.
func number(s string) int {
	n, _ := strconv.Atoi(versionRE.FindString(s))
	return n
}

func inspect(dir string) (Binaries, error) {
	b := Binaries{Dir: dir}
	for _, name := range []string{"postgres", "initdb", "pg_basebackup"} {
		if _, err := os.Stat(b.Path(name)); err != nil {
			return b, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, b.Path("postgres"), "--version").Output()
	if err != nil {
		return b, err
	}
	b.Version = string(out)
	b.Major = number(b.Version)
	return b, nil
}
