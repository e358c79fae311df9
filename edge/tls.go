package edge

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"

	"golang.org/x/crypto/acme/autocert"
)

// ServeTLS is [Edge.Serve] with TLS, HTTP/2 included. Make c with [CertificateFiles] or [ACME], or in any other way.
func (e *Edge) ServeTLS(ctx context.Context, l net.Listener, c *tls.Config) error {
	c = c.Clone()
	for _, proto := range []string{"http/1.1", "h2"} {
		if !slices.Contains(c.NextProtos, proto) {
			c.NextProtos = append([]string{proto}, c.NextProtos...)
		}
	}
	if c.MinVersion == 0 {
		c.MinVersion = tls.VersionTLS12
	}
	return e.serve(ctx, tls.NewListener(l, c))
}

// CertificateFiles reads a certificate with its chain and its key, both in PEM.
func CertificateFiles(cert, key string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("edge: certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// ACME obtains certificates for the given host names when they are first asked for, and renews them, by the TLS-ALPN
// challenge of RFC 8737: the edge must be reachable on port 443 by these names. Certificates are kept in dir. Using it
// means agreeing to the terms of the certificate authority (Let's Encrypt).
func ACME(dir, email string, hosts ...string) (*tls.Config, error) {
	if len(hosts) == 0 || dir == "" {
		return nil, fmt.Errorf("edge: ACME needs a folder and at least one host name")
	}
	m := &autocert.Manager{Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(dir), HostPolicy: autocert.HostWhitelist(hosts...), Email: email}
	return m.TLSConfig(), nil
}
