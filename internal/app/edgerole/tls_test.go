package edgerole

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/internal/app/config"
)

func TestEdgeTLS(t *testing.T) {
	t.Parallel()
	for want, tls := range map[string]config.EdgeTLSConfig{
		"":               {},
		"cert and key":   {Cert: "c.pem"},
		"either":         {Cert: "c.pem", Key: "k.pem", Hosts: []string{"shop.example"}},
		"edge.tls.dir":   {Hosts: []string{"shop.example"}},
		"edge.tls.hosts": {Cert: "c.pem", Key: "k.pem", Hosts: []string{"shop.example"}, Dir: "d"},
	} {
		cfg := config.Default()
		cfg.Edge.TLS = tls
		err := cfg.Validate()
		if got := err != nil && strings.Contains(err.Error(), "edge.tls"); got != (want != "") || want != "" && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", tls, err, want)
		}
	}
	if c, err := edgeTLS(config.EdgeTLSConfig{}); c != nil || err != nil {
		t.Errorf("off: %v, %v", c, err)
	}
	missing := filepath.Join(t.TempDir(), "cert.pem")
	if _, err := edgeTLS(config.EdgeTLSConfig{Cert: missing, Key: missing}); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("a missing file: %v", err)
	}
	if c, err := edgeTLS(config.EdgeTLSConfig{Hosts: []string{"shop.example"}, Dir: t.TempDir()}); err != nil || c.GetCertificate == nil {
		t.Errorf("ACME: %v, %v", c, err)
	}
}
