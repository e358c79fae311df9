package chtest

import (
	"strings"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// Column makes a column of a type.
func Column(typ string) (proto.Column, error) {
	if rest, ok := strings.CutPrefix(typ, "LowCardinality("); ok {
		return &proto.ColLowCardinalityRaw{Index: &texts{of: proto.ColumnType(strings.TrimSuffix(rest, ")"))}}, nil
	}
	auto := proto.ColAuto{}
	err := auto.Infer(proto.ColumnType(typ))
	return auto.Data, err
}

// texts is the dictionary of a LowCardinality column: texts, whatever its type says.
type texts struct {
	proto.ColStr
	of proto.ColumnType
}

// Type is the dictionary's.
func (t *texts) Type() proto.ColumnType { return t.of }

// Text is a row of a column of texts; nil for NULL.
func Text(c proto.ColResult, i int) any {
	switch c := c.(type) {
	case *proto.ColStr:
		return c.Row(i)
	case *proto.ColNullable[string]:
		if v := c.Row(i); v.Set {
			return v.Value
		}
	case *proto.ColLowCardinalityRaw:
		key := 0
		switch c.Key {
		case proto.KeyUInt8:
			key = int(c.Keys8[i])
		case proto.KeyUInt16:
			key = int(c.Keys16[i])
		case proto.KeyUInt32:
			key = int(c.Keys32[i])
		case proto.KeyUInt64:
			key = int(c.Keys64[i])
		}
		dict := c.Index.(*texts)
		if key > 0 || !strings.HasPrefix(string(dict.of), "Nullable") {
			return dict.Row(key)
		}
	}
	return nil
}

// Wrong is an exception of the server.
func Wrong(code proto.Error, message string) *ch.Exception {
	return &ch.Exception{Code: code, Name: "DB::Exception", Message: message}
}
