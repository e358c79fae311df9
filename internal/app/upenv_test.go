package app

import (
	"strings"
	"testing"
)

// up warns of what it does not heed, and of nothing else.
func TestEnvWarnings(t *testing.T) {
	t.Parallel()
	heeded := []string{"STAMPEDE_EDGE_WAF_MODE=detect", "STAMPEDE_LOG_LEVEL=debug", "STAMPEDE_OTEL_ENDPOINT=http://x", "STAMPEDE_ADMIN_TOKEN=x", "STAMPEDE_ADVICE_ACT_ENABLED=true",
		"STAMPEDE_ADVICE_EXPLAIN_URL=http://x", "STAMPEDE_ALERTS_MAIL=a@b", "STAMPEDE_ANALYTICS_DSN=x", "STAMPEDE_ANALYTICS_KEEP_DAYS=3", "STAMPEDE_SOAK=1", "HOME=/"}
	if got := envWarnings(heeded); len(got) != 0 {
		t.Errorf("%q", got)
	}
	got := envWarnings([]string{"STAMPEDE_EDGE_LIMITS=off", "STAMPEDE_EDGE_WAF_MOD=detect"})
	if len(got) != 2 || !strings.Contains(got[0], "did you mean STAMPEDE_EDGE_WAF_MODE?") || !strings.HasPrefix(got[1], "STAMPEDE_EDGE_LIMITS: up decides on edge.limits itself") {
		t.Errorf("%q", got)
	}
}
