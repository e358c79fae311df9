package chaos

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A journal that was cut short at any byte, as by a machine that lost its power, says what its whole lines say.
func TestJournalCutShort(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var file bytes.Buffer
		open, states := []string{}, [][]string{{}} // after each line: which are open, the newest first
		write := func(r record) {
			line, err := json.Marshal(r)
			if err != nil {
				rt.Fatal(err)
			}
			file.Write(append(line, '\n'))
			states = append(states, slices.Clone(open))
		}
		write(record{Op: "owner"})
		for i := range rapid.IntRange(0, 12).Draw(rt, "records") {
			id := string(rune('a' + i))
			switch op := rapid.SampledFrom([]string{"begin", "amend", "end"}).Draw(rt, "op"); {
			case op == "begin":
				open = append([]string{id}, open...)
				write(record{Op: op, ID: id, Fault: "f", State: json.RawMessage(`{"line":"with a \n in it"}`)})
			case len(open) == 0:
			case op == "amend":
				write(record{Op: op, ID: open[0], State: json.RawMessage(`2`)})
			default:
				at := rapid.IntRange(0, len(open)-1).Draw(rt, "which")
				gone := open[at]
				open = slices.Delete(slices.Clone(open), at, at+1)
				write(record{Op: op, ID: gone})
			}
		}
		cut := rapid.IntRange(0, file.Len()).Draw(rt, "cut")
		rest := file.Bytes()[:cut]
		_, left, err := readJournal(bytes.NewReader(rest))
		if err != nil {
			rt.Fatal(err)
		}
		got := []string{}
		for _, l := range left {
			got = append(got, l.id)
		}
		if want := states[bytes.Count(rest, []byte("\n"))]; !slices.Equal(got, want) {
			rt.Fatalf("open are %v, want %v", got, want)
		}
	})
}

// Whatever is in the file, reading it ends, and either makes sense of it or says that it does not.
func FuzzReadJournal(f *testing.F) {
	f.Add(`{"op":"owner","owner":{"pid":1}}` + "\n" + `{"op":"begin","id":"a","fault":"f"}` + "\n" + `{"op":"end","id":"a"}` + "\n")
	f.Add("{}\n\n{\"op\":\"end\"}\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, open, err := readJournal(strings.NewReader(text))
		if err == nil && len(open) > strings.Count(text, "\n") {
			t.Errorf("%d open of %q", len(open), text)
		}
	})
}
