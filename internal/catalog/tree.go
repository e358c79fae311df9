package catalog

import (
	_ "embed" // the tree
	"strconv"
	"strings"
	"sync"
)

//go:embed tree.txt
var treeText string

// leaf is a category of the third level with what is sold there.
type leaf struct {
	path      string // department/group/leaf
	group     string // last segment of department/group, for descriptions
	nouns     []string
	materials []string
	median    float64 // of prices, in cents
}

// tree reads tree.txt once; a mistake in it is a mistake of the program, found by the package's tests.
var tree = sync.OnceValue(func() []leaf {
	var leaves []leaf
	for line := range strings.Lines(treeText) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.SplitN(line, "|", 4)
		median, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			panic("catalog: tree.txt: " + err.Error())
		}
		_, group, _ := strings.Cut(f[0], "/")
		for part := range strings.SplitSeq(f[3], ";") {
			name, nouns, _ := strings.Cut(part, ":")
			leaves = append(leaves, leaf{
				path: f[0] + "/" + strings.TrimSpace(name), group: group, median: median,
				nouns: split(nouns), materials: split(f[2]),
			})
		}
	}
	return leaves
})

func split(list string) []string {
	parts := strings.Split(list, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
