package fleet

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/stampede-shop/stampede/loadsim"
)

// maxRecording bounds what a recording may unpack to.
const maxRecording = 256 << 20

// handIn sends a recording in pieces, each of which is acknowledged.
func (a *agent) handIn(run subjects, rec *loadsim.Recording) error {
	data, err := pack(rec)
	if err != nil {
		return err
	}
	size := max(1024, int(a.nc.MaxPayload())/2) // base64 and names come on top
	of := (len(data) + size - 1) / size
	for n := range of {
		msg, err := json.Marshal(piece{a.o.ID, n, of, data[n*size : min((n+1)*size, len(data))]})
		if err != nil {
			return err
		}
		if err := a.send(run.of("result"), msg); err != nil {
			return fmt.Errorf("piece %d of %d: %w", n+1, of, err)
		}
	}
	return nil
}

// send tries a few times: the server may be away for a moment.
func (a *agent) send(subject string, msg []byte) (err error) {
	for range 5 {
		if _, err = a.nc.Request(subject, msg, 2*time.Second); err == nil || errors.Is(err, nats.ErrNoResponders) {
			return err
		}
	}
	return err
}

func pack(rec *loadsim.Recording) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(rec); err != nil {
		return nil, err
	}
	err := z.Close()
	return b.Bytes(), err
}

func unpack(data []byte) (*loadsim.Recording, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(z, maxRecording))
	if err != nil {
		return nil, err
	}
	var rec loadsim.Recording
	if err := json.Unmarshal(raw, &rec); err != nil {
		return nil, err
	}
	return &rec, nil
}
