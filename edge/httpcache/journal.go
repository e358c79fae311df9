package httpcache

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The journal remembers purges for as long as the disk remembers answers: one JSON object a line.
type purgeRecord struct {
	Count uint64
	Soft  bool      `json:",omitempty"`
	Doubt bool      `json:",omitempty"` // nothing is purged, but all of it is to be confirmed
	At    int64     `json:",omitempty"`
	Keys  []keyHash `json:",omitempty"` // none: everything
}

const (
	journalName = "purges.journal"
	stateName   = "state"
	longJournal = 16 << 20 // bytes from which on the journal is written anew when it has doubled
)

// openJournal reads the journal, writes it anew in short, and keeps it open. newest is the highest count among entries:
// no purge to come may have a lower one.
func (d *disk) openJournal(newest uint64) error {
	if err := d.replay(filepath.Join(d.o.Dir, journalName), newest); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.shorten()
}

// shorten writes the journal anew and keeps it open.
func (d *disk) shorten() error {
	path := filepath.Join(d.o.Dir, journalName)
	f, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	for _, r := range d.purges.records() {
		_ = enc.Encode(r) // the error comes with Flush
	}
	if err := errors.Join(w.Flush(), f.Sync(), os.Rename(path+".tmp", path)); err != nil {
		return errors.Join(err, f.Close())
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	d.log, d.logged = f, info.Size()
	return nil
}

// replay applies a journal. A damaged line means that something was lost: then nothing on disk is used unasked.
func (d *disk) replay(path string, newest uint64) error {
	d.purges.count.Store(newest)
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	in := bufio.NewReader(f)
	for dec := json.NewDecoder(in); dec.More(); {
		var r purgeRecord
		if err := dec.Decode(&r); err != nil {
			d.o.Recheck = true
			return nil
		}
		if r.Doubt {
			d.purges.doubt.Store(r.Count)
		} else {
			d.purges.mu.Lock()
			d.purges.note(r.Keys, r.Soft, r.Count, time.Unix(0, r.At))
			d.purges.mu.Unlock()
		}
		d.purges.count.Store(max(d.purges.count.Load(), r.Count))
	}
	return nil
}

// records are what a journal must hold to come to the same.
func (p *purges) records() []purgeRecord {
	p.mu.RLock()
	defer p.mu.RUnlock()
	list := []purgeRecord{{Count: p.floor}}
	if n := p.doubt.Load(); n > p.floor {
		list = append(list, purgeRecord{Count: n, Doubt: true})
	}
	for _, s := range p.soft {
		if s.count > p.floor {
			list = append(list, purgeRecord{Count: s.count, Soft: true, At: s.at})
		}
	}
	for k, n := range p.gone {
		list = append(list, purgeRecord{Count: n, Keys: []keyHash{k}})
	}
	for k, all := range p.stale {
		for _, s := range all {
			list = append(list, purgeRecord{Count: s.count, Soft: true, At: s.at, Keys: []keyHash{k}})
		}
	}
	slices.SortStableFunc(list[1:], func(a, b purgeRecord) int { return int(a.Count) - int(b.Count) })
	return list
}

// journal notes a purge. If that fails the disk is emptied: nothing purged may come back.
func (d *disk) journal(r purgeRecord) {
	line, err := json.Marshal(r)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.log == nil {
		return
	}
	if err == nil {
		_, err = d.log.Write(append(line, '\n'))
		d.logged += int64(len(line) + 1)
	}
	if err == nil && d.logged > longJournal && d.logged > 2*d.short {
		old := d.log
		if err = d.shorten(); err == nil {
			err = old.Close()
			d.short = d.logged
		}
	}
	if err == nil {
		return
	}
	d.o.Log.Error("a purge could not be noted: the disk part of the cache is emptied", "err", err)
	for d.order.Len() > 0 {
		d.remove(d.order.Back().Value.(*file).name)
	}
}

// crashed says whether the machine went down with the cache open: then the last purges may not have reached the disk.
// The state file holds the boot's id while the cache is open, and "closed" afterwards.
func (d *disk) crashed() bool {
	path := filepath.Join(d.o.Dir, stateName)
	before, err := os.ReadFile(path)
	boot := bootID()
	if err := os.WriteFile(path, []byte(boot), 0o600); err != nil {
		return true
	}
	return err == nil && string(before) != "closed" && string(before) != boot
}

// bootID changes when the machine starts anew; where it is not known, each time.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown at " + time.Now().Format(time.RFC3339Nano)
	}
	return strings.TrimSpace(string(b))
}

// finish closes the journal and says that all is on disk.
func (d *disk) finish() {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := errors.Join(d.log.Sync(), d.log.Close(), os.WriteFile(filepath.Join(d.o.Dir, stateName), []byte("closed"), 0o600), d.unlock())
	d.log = nil
	if err != nil {
		d.o.Log.Warn("the cache's folder was not closed well", "err", err)
	}
}
