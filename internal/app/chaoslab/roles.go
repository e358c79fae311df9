package chaoslab

import (
	"fmt"
	"maps"
	"regexp"
	"strconv"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/internal/app/running"
)

// roleName stands in a parameter for whoever has the role at that moment: @primary or @replica of the first cluster,
// @primary2 of the second. Names of processes stay when the primary changes, so that they say little.
var roleName = regexp.MustCompile(`@(primary|replica)(\d*)`)

// resolveRoles puts the names of processes for roles.
func resolveRoles(st running.Status, params map[string]string) (map[string]string, error) {
	out := maps.Clone(params)
	var err error
	for _, key := range []string{"target", "link"} {
		if text, ok := out[key]; ok {
			out[key] = roleName.ReplaceAllStringFunc(text, func(role string) string {
				name, e := holder(st, role)
				if e != nil {
					err = e
				}
				return name
			})
		}
	}
	return out, err
}

// holder is the process that has a role now.
func holder(st running.Status, role string) (string, error) {
	m := roleName.FindStringSubmatch(role)
	number := 1
	if m[2] != "" {
		number, _ = strconv.Atoi(m[2]) // digits
	}
	for _, c := range st.Clusters {
		switch {
		case c.Cluster != number:
		case m[1] == "primary":
			return c.Primary, nil
		case len(c.Standbys) > 0:
			return c.Standbys[0], nil
		}
	}
	return role, fmt.Errorf("%w: nobody is %s now", chaos.ErrUnavailable, role)
}
