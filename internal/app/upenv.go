package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/edgerole"
)

// readByUp are the keys whose variables `up` reads for the configuration that it makes, beside those that it passes on.
var readByUp = []string{"admin.token", "advice.act.", "advice.explain.", "alerts.mail", "alerts.slack", "alerts.webhook", "analytics.store", "analytics.dsn"}

// envWarnings are a sentence for each STAMPEDE_* variable of environ (NAME=VALUE) that changes nothing of `up`: nobody knows it, or it is
// for roles that are started alone.
func envWarnings(environ []string) []string {
	warnings := config.UnknownEnv(environ)
	keys := config.EnvKeys()
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if key, _ := keys(name, value); key != "" && !edgerole.HasPrefix(key, slices.Concat(passedOn, readByUp)...) {
			warnings = append(warnings, fmt.Sprintf("%s: up decides on %s itself, so it changes nothing; it is for roles started alone (stampede edge, api, worker)", name, key))
		}
	}
	return warnings
}
