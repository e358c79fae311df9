// Package chdbtest runs ClickHouse's engine inside the test's process, from the library chdb, behind chtest's server. The library has
// 550 MB and is not part of this repository: tests that need it are skipped unless STAMPEDE_LIBCHDB names its file (make test-clickhouse).
package chdbtest

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct {
	void *(*connect)(int, char **);
	void *(*query)(void *, const char *, size_t, const char *, size_t);
	char *(*buffer)(void *);
	size_t (*length)(void *);
	const char *(*error)(void *);
	void (*destroy)(void *);
	void (*signals)(int);
	void *(*insert)(void *, const char *, size_t, const char *, size_t);
	int (*append)(void *, const void *, size_t);
	void *(*done)(void *);
	void (*end)(void *);
	void *conn;
} chdb;

static const char *chdb_open(chdb *c, const char *file, char *path) {
	void *lib = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (!lib) return dlerror();
	c->connect = dlsym(lib, "chdb_connect");
	c->query = dlsym(lib, "chdb_query_n");
	c->buffer = dlsym(lib, "chdb_result_buffer");
	c->length = dlsym(lib, "chdb_result_length");
	c->error = dlsym(lib, "chdb_result_error");
	c->destroy = dlsym(lib, "chdb_destroy_query_result");
	c->signals = dlsym(lib, "chdb_set_signal_handlers_enabled");
	c->insert = dlsym(lib, "chdb_stream_insert_n");
	c->append = dlsym(lib, "chdb_stream_append");
	c->done = dlsym(lib, "chdb_stream_done");
	c->end = dlsym(lib, "chdb_destroy_insert_stream");
	if (!c->insert || !c->append || !c->done || !c->end) return "it lacks functions of chdb 26";
	if (!c->connect || !c->query || !c->buffer || !c->length || !c->error || !c->destroy) return "it lacks functions of chdb 26";
	if (c->signals) c->signals(0); // they are Go's
	char *args[] = {"clickhouse", path};
	void **conn = c->connect(2, args);
	if (!conn || !*conn) return "it does not open its folder";
	c->conn = *conn;
	return 0;
}

static void *chdb_run(chdb *c, const char *q, size_t n, const char *format, size_t m) { return c->query(c->conn, q, n, format, m); }
static void *chdb_insert(chdb *c, const char *q, size_t n, const char *format, size_t m, const void *data, size_t size) {
	void *stream = c->insert(c->conn, q, n, format, m);
	if (!stream) return 0;
	c->append(stream, data, size); // if it fails, so does what follows
	void *result = c->done(stream);
	c->end(stream);
	return result;
}
static char *chdb_buffer(chdb *c, void *r) { return c->buffer(r); }
static size_t chdb_length(chdb *c, void *r) { return c->length(r); }
static const char *chdb_error(chdb *c, void *r) { return c->error(r); }
static void chdb_destroy(chdb *c, void *r) { c->destroy(r); }
*/
import "C"

import (
	"errors"
	"unsafe"
)

// lib is the library with its one connection.
type lib struct{ c C.chdb }

func openLib(file, dir string) (*lib, error) {
	l := &lib{}
	name, path := C.CString(file), C.CString("--path="+dir)
	defer C.free(unsafe.Pointer(name))
	defer C.free(unsafe.Pointer(path))
	if wrong := C.chdb_open(&l.c, name, path); wrong != nil {
		return nil, errors.New("chdb: " + C.GoString(wrong))
	}
	return l, nil
}

// format is that of blocks.
const format = "Native"

// run executes one statement; the answer is in the format Native.
func (l *lib) run(query string) ([]byte, error) {
	q, f := C.CString(query), C.CString(format)
	defer C.free(unsafe.Pointer(q))
	defer C.free(unsafe.Pointer(f))
	return l.result(C.chdb_run(&l.c, q, C.size_t(len(query)), f, C.size_t(len(format))))
}

// insert executes an INSERT with blocks in that format.
func (l *lib) insert(query string, blocks []byte) error {
	q, f := C.CString(query), C.CString(format)
	defer C.free(unsafe.Pointer(q))
	defer C.free(unsafe.Pointer(f))
	_, err := l.result(C.chdb_insert(&l.c, q, C.size_t(len(query)), f, C.size_t(len(format)), unsafe.Pointer(unsafe.SliceData(blocks)), C.size_t(len(blocks))))
	return err
}

func (l *lib) result(res unsafe.Pointer) ([]byte, error) {
	if res == nil {
		return nil, errors.New("chdb: no answer")
	}
	defer C.chdb_destroy(&l.c, res)
	if wrong := C.chdb_error(&l.c, res); wrong != nil {
		return nil, errors.New(C.GoString(wrong))
	}
	return C.GoBytes(unsafe.Pointer(C.chdb_buffer(&l.c, res)), C.int(C.chdb_length(&l.c, res))), nil
}
