package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/stampede-shop/stampede/internal/httpapi"
)

type versionCmd struct{}

func (versionCmd) Run(s streams) error {
	_, err := fmt.Fprintf(s.Out, "stampede %s (%s %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

type helpCmd struct {
	Command []string `arg:"" optional:"" help:"The command to explain."`
}

func (h helpCmd) Run(parser *kong.Kong) error {
	ctx, err := kong.Trace(parser, h.Command)
	if err != nil {
		return usageError{err}
	}
	if ctx.Error != nil && len(h.Command) > 0 && ctx.Selected() == nil && len(ctx.Path) <= 1 {
		return usageError{ctx.Error}
	}
	return ctx.PrintUsage(false)
}

type openapiCmd struct{}

func (openapiCmd) Run(s streams) error {
	doc, err := httpapi.OpenAPI()
	if err != nil {
		return err
	}
	_, err = s.Out.Write(doc)
	return err
}

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (completionCmd) Help() string { return "Example:\n  source <(stampede completion bash)" }

// Run prints a script that completes commands and subcommands.
func (c completionCmd) Run(s streams, parser *kong.Kong) error {
	var top []string
	var cases strings.Builder
	for _, n := range parser.Model.Children {
		if n.Hidden {
			continue
		}
		top = append(top, n.Name)
		var subs []string
		for _, sub := range n.Children {
			subs = append(subs, sub.Name)
		}
		if len(subs) == 0 {
			continue
		}
		if c.Shell == "fish" {
			fmt.Fprintf(&cases, "complete -c stampede -n '__fish_seen_subcommand_from %s' -a '%s'\n", n.Name, strings.Join(subs, " "))
		} else {
			fmt.Fprintf(&cases, "    %s) words=\"%s\" ;;\n", n.Name, strings.Join(subs, " "))
		}
	}
	if c.Shell == "fish" {
		_, err := fmt.Fprintf(s.Out, "complete -c stampede -n __fish_use_subcommand -f -a '%s'\n%s", strings.Join(top, " "), cases.String())
		return err
	}
	prefix := ""
	if c.Shell == "zsh" {
		prefix = "autoload -U +X bashcompinit && bashcompinit\n"
	}
	_, err := fmt.Fprintf(s.Out, `%s_stampede() {
  local words="%s"
  if [ "$COMP_CWORD" -gt 1 ]; then
    case "${COMP_WORDS[1]}" in
%s    *) words="" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _stampede stampede
`, prefix, strings.Join(top, " "), cases.String())
	return err
}
