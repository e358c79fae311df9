package cache

import (
	"errors"
	"testing"
)

// owned turns itself into bytes, by pointer; direct reads into itself.
type owned struct{ text string }

func (o *owned) MarshalBinary() ([]byte, error) { return []byte(o.text), nil }

func (o *owned) UnmarshalBinary(data []byte) error {
	if len(data) == 0 {
		return errors.New("nothing")
	}
	o.text = string(data)
	return nil
}

type direct struct{ owned }

func (d direct) MarshalBinary() ([]byte, error) { return []byte(d.text), nil }

// Families of values that turn themselves into bytes do not go through JSON, unless somebody names a codec.
func TestCodecOfFamilies(t *testing.T) {
	t.Parallel()
	type other struct{ Codec }
	for name, c := range map[string]struct{ got, want Codec }{
		"bytes":   {codecFor[[]byte](JSON{}), Raw{}},
		"string":  {codecFor[string](JSON{}), Raw{}},
		"pointer": {codecFor[*owned](JSON{}), Binary{}},
		"value":   {codecFor[direct](JSON{}), Binary{}},
		"half":    {codecFor[owned](JSON{}), JSON{}},
		"number":  {codecFor[int](JSON{}), JSON{}},
		"named":   {codecFor[*owned](other{}), other{}},
	} {
		if c.got != c.want {
			t.Errorf("%s: %T, want %T", name, c.got, c.want)
		}
	}
}

func TestBinaryCodec(t *testing.T) {
	t.Parallel()
	var p *owned
	data, err := Binary{}.Marshal(&owned{"saucepan"})
	if err != nil || (Binary{}).Unmarshal(data, &p) != nil || p.text != "saucepan" {
		t.Fatalf("%v: %v", err, p)
	}
	before := p
	if (Binary{}).Unmarshal(nil, &p) == nil || p != before {
		t.Errorf("what it refuses was taken: %v", p)
	}
	var d direct
	if (Binary{}).Unmarshal(data, &d) != nil || d.text != "saucepan" {
		t.Errorf("%v", d)
	}
	for _, into := range []any{nil, 7, new(int), new(*int)} {
		if err := (Binary{}).Unmarshal(data, into); !errors.Is(err, errBinary) {
			t.Errorf("%T: %v", into, err)
		}
	}
	if _, err := (Binary{}).Marshal(7); !errors.Is(err, errBinary) {
		t.Error(err)
	}
}
