// Package waf keeps attacks away from what is behind: middleware that inspects requests with the OWASP Core Rule Set,
// evaluated by Coraza.
//
// # What it promises
//
//   - Method, path, query, headers, cookies and bodies are inspected before the origin sees them; JSON (also several
//     values, NDJSON) and forms by field, anything else as text. A body that cannot be parsed, or has more text than
//     may be inspected, is refused, not let through. What was read is handed on whole, and no byte of it changed.
//   - What is blocked gets 403 application/problem+json with the request's id, and one log line with that id: rules
//     and the names of what they looked at, never values.
//   - Of a batch ([Options.BatchPath]) each call is inspected as if it were sent alone, and only those that are objected to
//     are refused: they do not reach the origin, which is told what to answer ([HeaderRefused]).
//   - Rules are replaced at once and whole ([WAF.Reload]); a broken file changes nothing, and the error says which
//     line.
//   - With [ProfileShop] honest use of the Stampede API and storefront is let through, and attacks in the same fields
//     are not.
//
// # How it gets cheap
//
// Evaluating the rule set costs half a millisecond and more, for each request anew. So a request is taken apart. Its
// envelope, with a placeholder for each value, is evaluated by all rules; values by those that look at values, and
// plain ones (letters, also accented ones, digits and what names, addresses and searches are written with) by the half of
// those that can match such text, their expressions narrowed down to it; queries and forms with encoded values also by
// those that look at them as they are written. What was found clean is remembered by fingerprint. Numbers, UUIDs and
// opaque tokens are not evaluated at all. An expression is only tried on text that has one of the words, or some of the
// punctuation, that everything it matches has. If any rule finds anything in any part, the request is evaluated as one,
// by the rule set as it is: scores, exclusions and verdict come from there alone. That the short way overlooks nothing is
// tested with all of the rule set's own tests.
//
// # What it does not do
//
// Answers are not inspected: it would cost as much again, hold answers back until they are complete, and find mostly
// error messages that our API does not give. Rules of the rule set for answers are not loaded.
//
// # When not to use it
//
// It is a net below code that is right, not instead of it. For uploads of files look for a scanner: bodies are held
// in memory and bounded. Rules of your own that keep state or steer other rules (setvar, ctl, initcol) work, but
// close the fast path.
package waf
