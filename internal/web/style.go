package web

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"regexp"
	"sync"
)

// Styles are part of every page: the browser draws it as soon as it is there, without waiting for a second answer, also when the shop
// is so busy that there may be none. The policy names them by their hash, and so lets nothing else in.
var styles = sync.OnceValue(func() (s struct {
	css  template.CSS
	hash string
}) {
	text := minified(string(assets()["style.css"].body))
	sum := sha256.Sum256([]byte(text))
	s.css, s.hash = template.CSS(text), "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'" //nolint:gosec // it is our own
	return s
})

var (
	cssComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	cssSpace   = regexp.MustCompile(`\s+`)
	cssAround  = regexp.MustCompile(` ?([{};,]|: ) ?`)
	cssLast    = regexp.MustCompile(`;}`)
)

// minified is a style sheet without what only people need. Strings in it must not contain braces, commas, semicolons, or a colon
// before a space.
func minified(css string) string {
	css = cssSpace.ReplaceAllString(cssComment.ReplaceAllString(css, ""), " ")
	css = cssAround.ReplaceAllStringFunc(css, func(s string) string {
		for _, c := range s {
			if c != ' ' {
				return string(c)
			}
		}
		return s
	})
	return cssLast.ReplaceAllString(css, "}")
}

var policy = sync.OnceValue(func() string {
	return "default-src 'none'; style-src " + styles().hash + "; script-src 'self'; img-src 'self' https:; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
})
