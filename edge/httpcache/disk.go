package httpcache

import (
	"container/list"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxWriting   = 1024     // answers that wait to be written; further ones stay in memory only
	writingBytes = 64 << 20 // and what they take together
	shortest     = 10 * time.Second
	suffix       = ".shc"
)

// disk keeps entries in files, one each, written behind. The least recently written or read go when it is full.
type disk struct {
	o      Options
	purges *purges
	queue  chan *entry
	quit   chan struct{}

	mu      sync.Mutex
	files   map[keyHash]*list.Element // by file name
	byKey   map[string][]keyHash      // file names of an address
	order   *list.List                // of *file, the latest first
	bytes   int64
	waiting map[string]int // by address, how many answers are in the queue
	queued  int64          // bytes of these
	lock    *os.File       // keeps other processes out
	log     *os.File       // the journal of purges
	logged  int64          // its size
	short   int64          // and how long it was when it was last written anew
	closed  bool
}

type file struct {
	name keyHash
	key  string
	size int64
	old  bool // was there when the process started
}

func openDisk(o Options, p *purges) (*disk, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("httpcache: %w", err)
	}
	d := &disk{o: o, purges: p, queue: make(chan *entry, maxWriting), quit: make(chan struct{}), files: map[keyHash]*list.Element{},
		byKey: map[string][]keyHash{}, order: list.New(), waiting: map[string]int{}}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	d.lock = lock
	newest, err := d.scan()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("httpcache: %w", err), d.unlock())
	}
	if err := d.openJournal(newest); err != nil {
		return nil, errors.Join(fmt.Errorf("httpcache: journal of purges: %w", err), d.unlock())
	}
	if d.crashed() {
		d.o.Recheck = true
	}
	return d, nil
}

func (d *disk) unlock() error {
	if d.lock == nil {
		return nil
	}
	return d.lock.Close()
}

// scan reads what the directory holds. It returns the highest count of purges that any entry knows.
func (d *disk) scan() (newest uint64, err error) {
	err = filepath.WalkDir(d.o.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if strings.HasSuffix(path, ".tmp") {
			return os.Remove(path)
		}
		base, ours := strings.CutSuffix(filepath.Base(path), suffix)
		if !ours {
			return nil
		}
		m, size, err := readMeta(path)
		name, bad := strconv.ParseUint(base, 16, 64)
		if err != nil || bad != nil {
			return os.Remove(path)
		}
		newest = max(newest, m.Since)
		d.index(&file{name: keyHash(name), key: m.Key, size: size, old: true})
		return nil
	})
	return newest, err
}

func (d *disk) index(f *file) {
	d.unindex(f.name)
	d.files[f.name] = d.order.PushFront(f)
	d.byKey[f.key] = append(d.byKey[f.key], f.name)
	d.bytes += f.size
}

func (d *disk) unindex(name keyHash) {
	el := d.files[name]
	if el == nil {
		return
	}
	f := d.order.Remove(el).(*file)
	delete(d.files, name)
	d.bytes -= f.size
	var left []keyHash
	for _, n := range d.byKey[f.key] {
		if n != name {
			left = append(left, n)
		}
	}
	if len(left) == 0 {
		delete(d.byKey, f.key)
	} else {
		d.byKey[f.key] = left
	}
}

func fileName(e *entry) keyHash {
	var b strings.Builder
	b.WriteString(e.key)
	for _, f := range e.vary {
		b.WriteString("\x00" + f.Name + "\x00" + f.Value)
	}
	return hashKey('f', b.String())
}

func (d *disk) path(name keyHash) string {
	s := fmt.Sprintf("%016x", uint64(name))
	return filepath.Join(d.o.Dir, s[:2], s+suffix)
}

// put has e written soon, if there is room in the queue and it stays of use.
func (d *disk) put(e *entry) {
	if time.Duration(e.until+max(e.swr, e.sie)-d.o.Now().UnixNano()) < shortest {
		return
	}
	if !d.enqueue(e) {
		return
	}
	select {
	case d.queue <- e:
	default:
		d.dequeued(e)
	}
}

// enqueue makes room for e in the queue, if there is.
func (d *disk) enqueue(e *entry) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.queued+e.size() > writingBytes {
		return false
	}
	d.queued += e.size()
	d.waiting[e.key]++
	return true
}

func (d *disk) dequeued(e *entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queued -= e.size()
	if d.waiting[e.key]--; d.waiting[e.key] == 0 {
		delete(d.waiting, e.key)
	}
}

// write is the goroutine that writes; at the end it writes what still waits.
func (d *disk) write() {
	for {
		select {
		case e := <-d.queue:
			d.writeOne(e)
		case <-d.quit:
			for {
				select {
				case e := <-d.queue:
					d.writeOne(e)
				default:
					d.finish()
					return
				}
			}
		}
	}
}

func (d *disk) writeOne(e *entry) {
	defer d.dequeued(e)
	data, err := encodeEntry(e)
	if err == nil && int64(len(data)) <= d.o.Disk {
		err = d.save(fileName(e), e.key, data)
	}
	if err != nil {
		d.o.Log.Warn("an answer could not be kept on disk", "err", err)
	}
}

func (d *disk) save(name keyHash, key string, data []byte) error {
	path := d.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", data, 0o600); err != nil {
		return errors.Join(err, os.Remove(path+".tmp"))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	d.index(&file{name: name, key: key, size: int64(len(data))})
	for d.bytes > d.o.Disk && d.order.Len() > 0 {
		d.remove(d.order.Back().Value.(*file).name)
	}
	return nil
}

func (d *disk) remove(name keyHash) {
	d.unindex(name)
	if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.o.Log.Warn("a file of the cache could not be removed", "err", err)
	}
}

func (d *disk) drop(e *entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if name := fileName(e); d.files[name] != nil {
		d.remove(name)
	}
}

// has tells whether something of an address is on the disk, or on its way there.
func (d *disk) has(key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.byKey[key]) > 0 || d.waiting[key] > 0
}

func (d *disk) used() (n, bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return int64(len(d.files)), d.bytes
}

// load reads all variants of an address; damaged ones are removed.
func (d *disk) load(key string) (entries []*entry) {
	d.mu.Lock()
	var found []file
	for _, name := range d.byKey[key] {
		el := d.files[name]
		d.order.MoveToFront(el)
		found = append(found, *el.Value.(*file))
	}
	d.mu.Unlock()
	for _, f := range found {
		data, err := os.ReadFile(d.path(f.name))
		var e *entry
		if err == nil {
			e, err = decodeEntry(data)
		}
		if err != nil || e.key != key {
			d.mu.Lock()
			d.remove(f.name)
			d.mu.Unlock()
			continue
		}
		e.recheck.Store(f.old && d.o.Recheck)
		entries = append(entries, e)
	}
	return entries
}

// fromDisk brings an address back into memory.
func (c *Cache) fromDisk(key string) *resource {
	if !c.disk.has(key) {
		return nil
	}
	for _, e := range c.disk.load(key) {
		c.mem.put(e)
	}
	return find(c.mem, key)
}

func (d *disk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.closed = true
		close(d.quit)
	}
}
