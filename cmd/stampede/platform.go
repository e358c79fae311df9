package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/stampede-shop/stampede/internal/app"
)

// platformFlags find a running platform, or the configuration of one.
type platformFlags struct {
	Data   string `type:"path" default:".stampede" help:"Data folder of the platform; .stampede when not given." placeholder:"DIR"`
	Ops    string `help:"Operations address of the platform, instead of --data." placeholder:"URL"`
	Config string `type:"path" help:"YAML configuration file, instead of --data." placeholder:"FILE"`
}

// config is the configuration of the file given, or of a platform that `up` made: the one in the data folder, or the one
// that answers at --ops and runs on this machine.
func (f platformFlags) config() (app.Config, error) {
	data := f.Data
	if f.Ops != "" && f.Config == "" {
		client, err := f.client()
		if err != nil {
			return app.Config{}, err
		}
		var st app.Status
		if err := client.Do(context.Background(), "GET", "/admin/status", nil, &st); err != nil {
			return app.Config{}, err
		}
		data = st.Data
	}
	cfg, err := app.FindConfig(data, f.Config)
	if err != nil && !errors.Is(err, app.ErrNotRunning) {
		err = usageError{err}
	}
	return cfg, err
}

func (f platformFlags) client() (*app.Client, error) {
	return app.NewClient(f.Data, f.Ops)
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
