package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/running"
)

// platformFlags find a running platform, or the configuration of one.
type platformFlags struct {
	Data   string `type:"path" default:".stampede" help:"Data folder of the platform; .stampede when not given." placeholder:"DIR"`
	Ops    string `help:"Operations address of the platform, instead of --data." placeholder:"URL"`
	Config string `type:"input" help:"YAML configuration file, instead of --data." placeholder:"FILE"`
}

// config is the configuration of the file given, or of a platform that `up` made: the one in the data folder, or the one
// that answers at --ops and runs on this machine.
func (f platformFlags) config() (config.Config, error) {
	data := f.Data
	if f.Ops != "" && f.Config == "" {
		client, err := f.client()
		if err != nil {
			return config.Config{}, err
		}
		var st running.Status
		if err := client.Do(context.Background(), "GET", "/admin/status", nil, &st); err != nil {
			return config.Config{}, err
		}
		data = st.Data
	}
	cfg, err := running.FindConfig(data, f.Config)
	if err != nil && !errors.Is(err, running.ErrNotRunning) {
		err = usageError{err}
	}
	return cfg, err
}

func (f platformFlags) client() (*running.Client, error) {
	return running.NewClient(f.Data, f.Ops)
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
