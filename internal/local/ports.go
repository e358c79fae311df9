package local

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/stampede-shop/stampede/internal/local/proc"
)

// FreePort is a TCP port of the loopback that nobody listens on at this moment.
func FreePort() (int, error) { return proc.FreePort() }

// Port is the loopback port of a server of this platform: chosen once and recorded, so that it is the
// same after a restart. When somebody else has taken it since, another one is chosen. Call it before
// the server runs.
func (d *Data) Port(name string) (int, error) {
	path := d.Path("ports.json")
	ports := map[string]int{}
	if b, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(b, &ports) // a broken file only means new ports
	}
	if port := ports[name]; port != 0 && proc.PortFree(port) {
		return port, nil
	}
	for range 100 {
		port, err := FreePort()
		if err != nil {
			return 0, err
		}
		if taken(ports, port) {
			continue
		}
		ports[name] = port
		b, err := json.Marshal(ports)
		if err != nil {
			return 0, err
		}
		return port, writeFile(path, append(b, '\n'), 0o644)
	}
	return 0, errors.New("no free port found")
}

// taken reports whether another server of ours has the port, even if it does not run now.
func taken(ports map[string]int, port int) bool {
	for _, p := range ports {
		if p == port {
			return true
		}
	}
	return false
}

// Secret is a random word of this platform, made once and kept in a file that only we can read.
func (d *Data) Secret(name string) (string, error) {
	path := d.Path(name)
	b, err := os.ReadFile(path)
	if err == nil && len(strings.TrimSpace(string(b))) >= 20 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the secret %s: %w", name, err)
	}
	secret := rand.Text()
	return secret, writeFile(path, []byte(secret+"\n"), 0o600)
}
