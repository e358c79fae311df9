package config

import "net/netip"

// Trusted are the networks of proxies whose word about the client's address is taken.
func (e EdgeConfig) Trusted() (list []netip.Prefix, err error) {
	for _, p := range e.TrustedProxies {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			return nil, err
		}
		list = append(list, prefix)
	}
	return list, nil
}

// EdgeConfig is where the edge listens, whom it balances over (URLs or unix:PATH), and what it does on the way.
type EdgeConfig struct {
	Listen         string   `koanf:"listen"`
	Origins        []string `koanf:"origins"`
	TrustedProxies []string `koanf:"trusted_proxies"` // CIDRs whose X-Forwarded-For is believed
	// Profile says what is behind: "shop" is Stampede's own API and storefront, of which the edge knows what is the same for
	// everybody, which writes may be repeated, and what text is innocent; "plain" is any HTTP server.
	Profile   string          `koanf:"profile"`
	MaxBody   int             `koanf:"max_body"` // bytes of a request's body
	Limits    string          `koanf:"limits"`   // of requests: off, on or strict
	Cache     EdgeCacheConfig `koanf:"cache"`
	WAF       WAFConfig       `koanf:"waf"`
	TLS       EdgeTLSConfig   `koanf:"tls"`
	Admission AdmissionConfig `koanf:"admission"`
	Waitroom  WaitroomConfig  `koanf:"waitroom"`
	// CartsPerClient is into how many carts one client address may put one product in ten minutes; 0 is no limit.
	CartsPerClient int `koanf:"carts_per_client"`
}

// EdgeTLSConfig lets the edge speak TLS, and with it HTTP/2: with a certificate and its key (PEM), or with one for each of the
// hosts, obtained by ACME and kept in dir. Empty: plain HTTP.
type EdgeTLSConfig struct {
	Cert  string   `koanf:"cert"`
	Key   string   `koanf:"key"`
	Hosts []string `koanf:"hosts"`
	Dir   string   `koanf:"dir"`
	Email string   `koanf:"email"` // where the authority writes to when a certificate is about to end
}

// EdgeCacheConfig is the third cache tier.
type EdgeCacheConfig struct {
	Enabled   bool   `koanf:"enabled"`
	MemoryMiB int    `koanf:"memory_mib"`
	Dir       string `koanf:"dir"` // what is kept on disk, too, and outlives a restart; empty: nothing
	DiskMiB   int    `koanf:"disk_mib"`
}

// WAFConfig is the firewall. Files are rules of the operator's own: files, or folders of *.conf.
type WAFConfig struct {
	Mode     string   `koanf:"mode"`     // off, detect or block
	Paranoia int      `koanf:"paranoia"` // 1 to 4: more finds more, and more that is none
	Files    []string `koanf:"files"`
}
