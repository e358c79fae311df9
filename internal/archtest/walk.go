package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// MaxLines is how long a file that a person wrote may be.
const MaxLines = 600

// source is a file with what the house facts need to know of it.
type source struct {
	file
	lines     int
	generated bool
	doc       bool // carries a package comment
}

// walk reads every Go file of the module at root; modules inside it, testdata and hidden folders are left out.
func walk(root string) ([]source, error) {
	var out []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != root && skipped(p, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") || !d.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		body, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		s, err := read(filepath.ToSlash(rel), body)
		if err != nil {
			return err
		}
		out = append(out, s)
		return nil
	})
	return out, err
}

func skipped(p, name string) bool {
	if name == "testdata" || name == "vendor" || name == "node_modules" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return true
	}
	_, err := os.Stat(filepath.Join(p, "go.mod"))
	return err == nil
}

// read parses one file as far as its imports.
func read(rel string, body []byte) (source, error) {
	f, err := parser.ParseFile(token.NewFileSet(), rel, body, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return source{}, fmt.Errorf("archtest: %w", err)
	}
	s := source{file: file{path: rel, dir: path.Dir(rel)}, lines: bytes.Count(body, []byte("\n")), generated: ast.IsGenerated(f)}
	s.doc = strings.TrimSpace(f.Doc.Text()) != ""
	for _, i := range f.Imports {
		name, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return source{}, fmt.Errorf("archtest: %s: import %s: %w", rel, i.Path.Value, err)
		}
		s.imports = append(s.imports, name)
	}
	return s, nil
}

// tooLong names the files that should be taken apart.
func tooLong(sources []source) []string {
	var out []string
	for _, s := range sources {
		if s.lines > MaxLines && !s.generated {
			out = append(out, fmt.Sprintf("%s has %d lines, more than %d", s.path, s.lines, MaxLines))
		}
	}
	return out
}

// uncommented names the folders whose package says nothing about itself. Where there is nothing but tests, those count;
// where everything is generated, nothing is asked.
func uncommented(sources []source) []string {
	type state struct{ written, code, said bool }
	folders := map[string]*state{}
	var order []string
	for _, s := range sources {
		st := folders[s.dir]
		if st == nil {
			st = &state{}
			folders[s.dir] = st
			order = append(order, s.dir)
		}
		if s.generated {
			continue
		}
		st.written = true
		if !s.isTest() && !st.code {
			st.code, st.said = true, false
		}
		if s.isTest() != st.code {
			st.said = st.said || s.doc
		}
	}
	var out []string
	for _, dir := range order {
		if st := folders[dir]; st.written && !st.said {
			out = append(out, dir+": no file has a package comment")
		}
	}
	return out
}
