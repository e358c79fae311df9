package config

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

const masked = "********"

// Show writes the configuration as YAML, secrets masked.
func (c Config) Show(w io.Writer) error { return c.write(w, true) }

// Save writes the configuration with its secrets, readable by the owner alone.
func (c Config) Save(path string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".config-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if err := c.write(tmp, false); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func (c Config) write(w io.Writer, mask bool) error {
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(tree(reflect.ValueOf(c), "", mask)); err != nil {
		return err
	}
	return enc.Close()
}

// tree turns the struct into YAML nodes in the order of its fields; secret is the field's tag.
func tree(v reflect.Value, secret string, mask bool) any {
	if at, ok := v.Interface().(time.Time); ok {
		if at.IsZero() {
			return ""
		}
		return at.Format(time.RFC3339)
	}
	switch v.Kind() {
	case reflect.Struct:
		node := &yaml.Node{Kind: yaml.MappingNode}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			var key, val yaml.Node
			key.SetString(f.Tag.Get("koanf"))
			_ = val.Encode(tree(v.Field(i), f.Tag.Get("secret"), mask)) // plain data always encodes
			node.Content = append(node.Content, &key, &val)
		}
		return node
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = tree(v.Index(i), secret, mask)
		}
		return list
	case reflect.String:
		s := v.String()
		switch {
		case !mask || s == "" || secret == "":
			return s
		case secret == "dsn":
			return maskDSN(s)
		default:
			return masked
		}
	}
	if s, ok := v.Interface().(fmt.Stringer); ok { // durations
		return s.String()
	}
	return v.Interface()
}

var dsnPassword = regexp.MustCompile(`(password\s*=\s*)('[^']*'|\S+)`)

// maskDSN hides the password of a DSN in URL or key=value form. A URL that cannot be read is hidden whole.
func maskDSN(dsn string) string {
	if !strings.Contains(dsn, "://") {
		return dsnPassword.ReplaceAllString(dsn, "${1}"+masked)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return masked
	}
	return dsnPassword.ReplaceAllString(u.Redacted(), "${1}"+masked)
}
