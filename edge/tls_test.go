package edge

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	for path, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TLS with HTTP/1.1 and HTTP/2, and HTTP/2 without TLS, get the same answers, from the same cache.
func TestProtocols(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(product)
	s := start(t, cached(Options{}), a)
	conf, err := CertificateFiles(certificate(t))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = s.ServeTLS(ctx, l, conf) }()
	for name, set := range map[string]func(*http.Protocols){"HTTP/1.1": func(p *http.Protocols) { p.SetHTTP1(true) }, "HTTP/2.0": func(p *http.Protocols) { p.SetHTTP2(true) },
		"HTTP/2.0 plain": func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }} {
		protocols := new(http.Protocols)
		set(protocols)
		tr := &http.Transport{Protocols: protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // it is our own
		c := &http.Client{Transport: tr, Timeout: 10 * time.Second}
		url := "https://" + l.Addr().String()
		if strings.HasSuffix(name, "plain") {
			url = s.url
		}
		for i := range 3 {
			res, err := c.Get(url + "/p")
			if err != nil {
				t.Fatal(name, err)
			}
			body, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			hit := strings.Contains(res.Header.Get("Cache-Status"), "; hit")
			if res.Proto != name[:8] || string(body) != "product /p" || i > 0 && !hit {
				t.Errorf("%s: %s %d %q %v", name, res.Proto, res.StatusCode, body, res.Header)
			}
		}
		tr.CloseIdleConnections()
	}
	if _, err := CertificateFiles("missing", "missing"); err == nil {
		t.Error("no error without files")
	}
	if _, err := ACME("", ""); err == nil {
		t.Error("ACME for no host")
	}
	if c, err := ACME(t.TempDir(), "", "shop.example"); err != nil || c.GetCertificate == nil {
		t.Error(c, err)
	}
}
