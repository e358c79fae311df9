package httpcache

import (
	"net/textproto"
	"slices"
	"strings"
)

// varyField is a request header that an answer depends on, with the value it was chosen by, in normal form.
type varyField struct {
	Name  string // canonical
	Value string
}

// varyNames lists the header names in Vary, canonical, sorted, each once.
func varyNames(lines []string) []string {
	var names []string
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); isToken(name) {
				names = append(names, textproto.CanonicalMIMEHeaderKey(name))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// hasVaryStar says whether nothing can be known to match. A member that is no token is read as *: whoever sent it meant
// something that we do not understand.
func hasVaryStar(lines []string) bool {
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); name == "*" || name != "" && !isToken(name) {
				return true
			}
		}
	}
	return false
}

func varies(lines []string, name string) bool { return slices.Contains(varyNames(lines), name) }

// varyOf pairs the names in Vary with what the client asked with, and Cookie with what the origin saw of it.
func varyOf(lines []string, q *question) []varyField {
	names := varyNames(lines)
	if len(names) == 0 {
		return nil
	}
	fields := make([]varyField, len(names))
	for i, name := range names {
		values := q.header[name]
		if name == "Cookie" {
			values = q.sent[name]
		}
		fields[i] = varyField{name, normalValue(name, values)}
	}
	return fields
}

// normalValue brings a request header's value into a form in which it can be compared. A header that is absent differs
// from one that is empty, except where absence has the same meaning.
func normalValue(name string, lines []string) string {
	switch name {
	case "Accept-Encoding":
		return encodings(lines)
	case "Accept-Language":
		return languages(lines)
	}
	if len(lines) == 0 {
		return "\x00"
	}
	if name == "Cookie" || name == "User-Agent" {
		return strings.Join(lines, ", ")
	}
	parts := strings.Split(strings.Join(lines, ","), ",")
	for i := range parts {
		parts[i] = strings.Trim(parts[i], " \t")
	}
	return strings.Join(parts, ",")
}

// encodings keeps of Accept-Encoding the codings that are in use on the web, in the order in which servers prefer them.
func encodings(lines []string) string {
	const (
		zstd = 1 << iota
		br
		gzip
		deflate
	)
	accepted := 0
	for _, line := range lines {
		for len(line) > 0 {
			member := line
			if i := strings.IndexByte(line, ','); i >= 0 {
				member, line = line[:i], line[i+1:]
			} else {
				line = ""
			}
			coding, weight, _ := strings.Cut(member, ";")
			if refuses(weight) {
				continue
			}
			switch coding = strings.Trim(coding, " \t"); {
			case strings.EqualFold(coding, "gzip") || strings.EqualFold(coding, "x-gzip"):
				accepted |= gzip
			case strings.EqualFold(coding, "br"):
				accepted |= br
			case strings.EqualFold(coding, "zstd"):
				accepted |= zstd
			case strings.EqualFold(coding, "deflate"):
				accepted |= deflate
			}
		}
	}
	return encodingNames[accepted]
}

// encodingNames are the normal forms of Accept-Encoding, by the bits that encodings sets.
var encodingNames = func() (names [16]string) {
	for bits := range names {
		var list []string
		for i, name := range []string{"zstd", "br", "gzip", "deflate"} {
			if bits&(1<<i) != 0 {
				list = append(list, name)
			}
		}
		names[bits] = strings.Join(list, ", ")
	}
	return names
}()

// refuses says whether a weight is q=0.
func refuses(weight string) bool {
	weight = strings.Trim(weight, " \t")
	if len(weight) < 3 || weight[0]|0x20 != 'q' || weight[1] != '=' {
		return false
	}
	return strings.Trim(weight[2:], "0.") == ""
}

// languages sorts the members of Accept-Language, without spaces and case, those of full weight without it.
func languages(lines []string) string {
	parts := strings.Split(strings.ToLower(strings.Join(lines, ",")), ",")
	for i, p := range parts {
		p = strings.NewReplacer(" ", "", "\t", "").Replace(p)
		for _, full := range []string{";q=1", ";q=1.0", ";q=1.00", ";q=1.000"} {
			if strings.HasSuffix(p, full) {
				p = strings.TrimSuffix(p, full)
				break
			}
		}
		parts[i] = p
	}
	slices.Sort(parts)
	return strings.Join(slices.Compact(parts), ",")
}
