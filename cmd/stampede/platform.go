package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/stampede-shop/stampede/internal/app"
)

// platformFlags find a running platform, or the configuration of one.
type platformFlags struct {
	Data   string `type:"path" default:".stampede" help:"Data folder of the platform." placeholder:"DIR"`
	Ops    string `help:"Operations address of the platform, instead of --data." placeholder:"URL"`
	Config string `type:"path" help:"YAML configuration file, instead of --data." placeholder:"FILE"`
}

// config is the configuration of a platform that `up` made, or of the file given.
func (f platformFlags) config() (app.Config, error) {
	cfg, err := app.FindConfig(f.Data, f.Config)
	if err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}

func (f platformFlags) client() (*app.Client, error) {
	return app.NewClient(f.Data, f.Ops)
}

func errNotYet(what string) error { return fmt.Errorf("%s: not in this version", what) }

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
