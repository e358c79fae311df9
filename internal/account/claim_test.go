package account

import (
	"testing"
	"time"
)

func TestClaimed(t *testing.T) {
	t.Parallel()
	value := encodeCookie([]byte("0123456789abcdef"), Session{UserID: "u-1", ID: "s"}, time.Unix(1, 0))
	for header, want := range map[string]string{
		"sid=" + value: "u-1", "a=b; sid=" + value + "; c": "u-1", "sid=1.!.x; sid=" + value: "u-1", "": "", "sid=": "", "sid=1.x": "", "xsid=" + value: "",
		"sid=" + value[:10]: "",
	} {
		if got := Claimed(header); got != want {
			t.Errorf("%q: %q", header, got)
		}
	}
}
