package main

import (
	"fmt"

	"github.com/stampede-shop/stampede/internal/app/config"
)

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Validate the configuration."`
	Show  configShowCmd  `cmd:"" help:"Print the effective configuration, secrets masked."`
}

type configFile struct {
	Config string `type:"input" help:"YAML configuration file." placeholder:"FILE"`
}

type configCheckCmd struct{ configFile }

func (configCheckCmd) Help() string {
	return "Example:\n  stampede config check --config /etc/stampede.yaml\nExit code 1, and each wrong setting with what is allowed, when it does not hold."
}

func (c configCheckCmd) Run(s streams) error {
	if _, err := config.ReadOrDefault(c.Config); err != nil {
		return err
	}
	_, err := fmt.Fprintln(s.Out, "ok")
	return err
}

type configShowCmd struct{ configFile }

func (configShowCmd) Help() string {
	return "Example:\n  stampede config show --config /etc/stampede.yaml"
}

func (c configShowCmd) Run(s streams) error {
	cfg, err := config.ReadOrDefault(c.Config)
	if err != nil {
		return err
	}
	return cfg.Show(s.Out)
}
