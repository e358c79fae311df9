package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/stampede-shop/stampede/internal/app"
)

type catalogCmd struct {
	Import   catalogImportCmd   `cmd:"" help:"Load products from a file (JSON, NDJSON or CSV)."`
	Generate catalogGenerateCmd `cmd:"" help:"Make synthetic products."`
}

type catalogImportCmd struct {
	platformFlags
	File  string `arg:"" type:"input|-" help:"The file; - is standard input."`
	Stock int64  `default:"1000" help:"Units of products that name none."`
	JSON  bool   `name:"json" help:"Print the report as JSON, with the bad records."`
}

func (catalogImportCmd) Help() string {
	return `Example:
  stampede catalog import products.ndjson --stock 500
Fields: sku, name, price (decimal, major units), description, brand, category (a/b/c), currency, image_url, popularity,
rating, rating_count, attributes, stock. Importing again updates products and leaves their stock alone.
Bad records are named by line and field; the good ones are kept. Exit code 1 when there is no good one.`
}

func (c catalogImportCmd) Run(ctx context.Context, s streams) error {
	if c.Stock < 0 {
		return usageError{fmt.Errorf("--stock %d: at least 0", c.Stock)}
	}
	cfg, err := c.config()
	if err != nil {
		return err
	}
	show := newProgress(s.Err)
	report, err := app.ImportCatalog(ctx, cfg, app.ImportOptions{File: c.File, Stock: c.Stock, Note: show.note, Step: show.step})
	show.end()
	return printLoad(s, report, c.JSON, err)
}

type catalogGenerateCmd struct {
	platformFlags
	Products int    `required:"" help:"How many."`
	Seed     uint64 `default:"1" help:"The same seed makes the same products."`
	Stock    int64  `default:"-1" help:"Units of each; -1 lets them differ."`
	JSON     bool   `name:"json" help:"Print the report as JSON."`
}

func (catalogGenerateCmd) Help() string {
	return "Example:\n  stampede catalog generate --products 1000000 --seed 7"
}

func (c catalogGenerateCmd) Run(ctx context.Context, s streams) error {
	if c.Products < 1 || c.Stock < -1 {
		return usageError{errors.New("--products must be at least 1, --stock at least -1")}
	}
	cfg, err := c.config()
	if err != nil {
		return err
	}
	show := newProgress(s.Err)
	report, err := app.GenerateCatalog(ctx, cfg, app.GenerateOptions{Products: c.Products, Seed: c.Seed, Stock: c.Stock, Step: show.step})
	show.end()
	return printLoad(s, report, c.JSON, err)
}

// printLoad prints what became of the records, also when an error ended the load: what was loaded before it stays.
func printLoad(s streams, r app.LoadReport, asJSON bool, err error) error {
	switch {
	case err != nil && r.Products+r.Bad == 0:
		return err
	case r.Bad > 0 && r.Products == 0: // else the good ones are in, which is what was asked for; the bad ones are named
		err = errors.Join(err, leftOut(r))
	}
	if asJSON {
		return errors.Join(err, printJSON(s.Out, r))
	}
	_, printErr := fmt.Fprintln(s.Out, r)
	return errors.Join(err, printErr)
}

// leftOut says how many records were bad, and why the first of them.
func leftOut(r app.LoadReport) error {
	first := r.BadRecords[0]
	why := first.Reason
	for _, part := range []string{first.Field, first.SKU} { // as in "line 4: LAMP-1: price: is missing"
		if part != "" {
			why = part + ": " + why
		}
	}
	if first.Line > 0 {
		why = fmt.Sprintf("line %d: %s", first.Line, why)
	}
	return fmt.Errorf("%d of %d records were left out, the first of them on %s; mend them and import the file again: what is there stays",
		r.Bad, r.Products+r.Bad, why)
}
