package cache

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/dict"
	"github.com/klauspost/compress/zstd"
)

// packer compresses payloads with zstd (RFC 8878), with a dictionary when there is one. It is safe for concurrent use.
type packer struct {
	enc, dictEnc *zstd.Encoder // dictEnc is nil without a dictionary
	dec          *zstd.Decoder
}

// packGain is the share of bytes that compression has to save to be worth the time of readers.
const packGain = 0.1

func newPacker(dictionary []byte) (*packer, error) {
	p := &packer{}
	common := []zstd.EOption{zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1 << 20),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false)}
	dopts := []zstd.DOption{zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxRecord), zstd.WithDecoderLowmem(true)}
	var err error
	if p.enc, err = zstd.NewWriter(nil, common...); err != nil {
		return nil, err
	}
	if len(dictionary) > 0 {
		if p.dictEnc, err = zstd.NewWriter(nil, append(common, zstd.WithEncoderDict(dictionary))...); err != nil {
			return nil, fmt.Errorf("%w: Dictionary: %w", ErrOptions, err)
		}
		dopts = append(dopts, zstd.WithDecoderDicts(dictionary))
	}
	p.dec, err = zstd.NewReader(nil, dopts...)
	return p, err
}

func (p *packer) close() { p.dec.Close() }

// pack puts data into rec, compressed from above bytes on if that pays.
func (p *packer) pack(rec *record, data []byte, above int) {
	rec.payload = data
	if above < 0 || len(data) < above {
		return
	}
	enc := p.enc
	if p.dictEnc != nil {
		enc = p.dictEnc
	}
	small := enc.EncodeAll(data, make([]byte, 0, len(data)))
	if float64(len(small)) <= (1-packGain)*float64(len(data)) {
		rec.payload, rec.packed, rec.dict, rec.raw = small, true, p.dictEnc != nil, uint64(len(data))
	}
}

var errPacked = errors.New("cache: packed with an unknown dictionary, or damaged")

func (p *packer) unpack(rec *record) ([]byte, error) {
	if !rec.packed {
		return rec.payload, nil
	}
	if rec.dict && p.dictEnc == nil {
		return nil, errPacked
	}
	data, err := p.dec.DecodeAll(rec.payload, make([]byte, 0, rec.raw))
	if err != nil || uint64(len(data)) != rec.raw {
		return nil, errPacked
	}
	return data, nil
}

// TrainDictionary makes a dictionary for Options.Dictionary from samples of encoded values, a hundred or more of the kind
// that will be cached. It takes seconds. id, above 32,768, tells dictionaries apart; size bounds it in bytes, 16 KiB
// is a good start.
func TrainDictionary(samples [][]byte, id uint32, size int) ([]byte, error) {
	d, err := dict.BuildZstdDict(samples, dict.Options{MaxDictSize: size, HashBytes: 6, ZstdDictID: id, ZstdLevel: zstd.SpeedFastest})
	if err != nil {
		return nil, fmt.Errorf("cache: train a dictionary: %w", err)
	}
	return d, nil
}
