package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
)

// The same requests written in every way give the same figures.
func TestCacheSimulate(t *testing.T) {
	t.Parallel()
	keys := []int64{1, 2, 1, 3, 2, 1, 4, 1, -7, -7}
	var i32, i64, lines bytes.Buffer
	for _, k := range keys {
		_ = binary.Write(&i32, binary.BigEndian, int32(k))
		_ = binary.Write(&i64, binary.BigEndian, k)
		_, _ = lines.WriteString(strings.Repeat("k", int(k+8)) + "\r\n")
	}
	dir := t.TempDir()
	pack := map[string]func(io.Writer) (io.WriteCloser, error){
		"":    nil,
		".gz": func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
		".xz": func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) },
	}
	for format, data := range map[string][]byte{"int32be": i32.Bytes(), "int64be": i64.Bytes(), "lines": lines.Bytes()} {
		for ext, packer := range pack {
			var file bytes.Buffer
			if packer == nil {
				file.Write(data)
			} else {
				w, err := packer(&file)
				if err == nil {
					_, err = w.Write(data)
				}
				if err != nil || w.Close() != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(dir, format+ext)
			if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, errOut strings.Builder
			code := run([]string{"cache", "simulate", "--trace", path, "--format", format, "--size", "100", "--json"}, streams{&out, &errOut})
			var got struct {
				Requests, Keys, Hits int
				HitRate              float64 `json:"hit_rate"`
			}
			if err := json.Unmarshal([]byte(out.String()), &got); code != 0 || err != nil || got.Requests != 10 || got.Keys != 5 || got.Hits != 5 || got.HitRate != 0.5 {
				t.Errorf("%s: %d, %v, %+v %s", path, code, err, got, errOut.String())
			}
		}
	}
}

func TestCacheSimulateRefuses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "odd")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]struct {
		code int
		text string
	}{
		"--trace " + path + " --format int32be --size 5": {1, "in the middle of request 2"},
		"--trace " + path + " --size 0":                  {2, "--size 0"},
		"--trace " + path + " --format text --size 1":    {2, "int32be"},
		"--trace " + path + ".xz --size 5":               {2, "no such file"},
	} {
		var out, errOut strings.Builder
		code := run(append([]string{"cache", "simulate"}, strings.Fields(args)...), streams{&out, &errOut})
		if code != want.code || !strings.Contains(errOut.String(), want.text) {
			t.Errorf("%s: %d, %s", args, code, errOut.String())
		}
	}
}
