package plan

import (
	"os"
	"testing"
)

func BenchmarkParse(b *testing.B) {
	doc, err := os.ReadFile("testdata/17-never.json")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if _, err := Parse(doc); err != nil {
			b.Fatal(err)
		}
	}
}
