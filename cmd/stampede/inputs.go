package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// inputs are the types of flags and arguments that name what a command reads. What is not there is wrong usage, whichever the command,
// and is told before anything begins; the name stays as it was typed, as messages show it.
var inputs = map[string]struct{ file, dir, stdin bool }{
	"input":     {file: true},
	"input|-":   {file: true, stdin: true},
	"input|dir": {file: true, dir: true},
	"input dir": {dir: true},
}

func inputMappers() (list []kong.Option) {
	for name, may := range inputs {
		list = append(list, kong.NamedMapper(name, kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
			var path string
			if err := ctx.Scan.PopValueInto("file", &path); err != nil {
				return err
			}
			if strings.HasPrefix(path, "~/") { // which shells leave as it is in --flag=~/file
				path = kong.ExpandPath(path)
			}
			if path != "" && !(may.stdin && path == "-") {
				if err := checkInput(path, may.file, may.dir); err != nil {
					return err
				}
			}
			target.SetString(path)
			return nil
		})))
	}
	return list
}

func checkInput(path string, file, dir bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && file && dir:
		return fmt.Errorf("%s: there is no such file or folder", path)
	case errors.Is(err, fs.ErrNotExist) && file:
		return fmt.Errorf("%s: there is no such file", path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no such folder", path)
	case err != nil:
		return err
	case info.IsDir() && !dir:
		return fmt.Errorf("%s: is a folder; name a file", path)
	case !info.IsDir() && !file:
		return fmt.Errorf("%s: is a file; name a folder", path)
	}
	return nil
}

// decodeSpan is the type of flags that say how long something lasts: no time at all is wrong usage, and never means the default.
func decodeSpan(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return fmt.Errorf("%s: a duration above 0s is needed, such as 90s, 5m or 1h30m", text)
	}
	target.SetInt(int64(d))
	return nil
}
