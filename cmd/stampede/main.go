// Command stampede is the whole platform in one binary: `stampede up` runs it on this machine, `stampede edge`, `api`
// and `worker` are its roles alone, the rest are tools. See `stampede help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/stampede-shop/stampede/internal/app/config"
)

// version is set by the linker.
var version = "dev"

// Exit codes, as INTERFACE promises them.
const (
	exitDone  = 0
	exitFail  = 1
	exitUsage = 2
)

// errFails ends a command whose answer is "it does not hold": what there is to say has been printed.
var errFails = errors.New("does not hold")

type cli struct {
	Up         upCmd         `cmd:"" help:"Run the whole platform on this machine."`
	Down       downCmd       `cmd:"" help:"Stop a detached platform."`
	Status     statusCmd     `cmd:"" help:"Show a running platform: processes, addresses, pids, health."`
	Edge       edgeCmd       `cmd:"" help:"Run the edge alone, in front of any HTTP origin."`
	API        apiCmd        `cmd:"" name:"api" help:"Run an API server alone."`
	Worker     workerCmd     `cmd:"" help:"Run the worker alone."`
	NATS       natsCmd       `cmd:"" name:"nats" hidden:"" help:"Run the embedded queue server (used by up)."`
	Migrate    migrateCmd    `cmd:"" help:"Bring the schema of the catalogue and of every shard up to date."`
	Catalog    catalogCmd    `cmd:"" help:"Import or generate products."`
	Campaign   campaignCmd   `cmd:"" help:"What the front page puts forward for a while."`
	Load       loadCmd       `cmd:"" help:"Simulate shoppers and report what they saw."`
	Chaos      chaosCmd      `cmd:"" help:"Inject faults, run experiments with them."`
	Prove      proveCmd      `cmd:"" help:"Measure every success criterion on the running platform."`
	Plan       planCmd       `cmd:"" help:"Plan capacity from measured costs."`
	Audit      auditCmd      `cmd:"" help:"Check the books: stock, reservations, orders, payments and outbox over all shards."`
	Shard      shardCmd      `cmd:"" help:"Which shard holds a key; how evenly keys spread."`
	Predict    predictCmd    `cmd:"" help:"Which products will sell most: learn, judge, show."`
	Queue      queueCmd      `cmd:"" help:"Queues and dead letters."`
	Query      queryCmd      `cmd:"" help:"Why statements are slow, and which indexes would help."`
	Analytics  analyticsCmd  `cmd:"" help:"The event store: queries, reports, exports."`
	Cache      cacheCmd      `cmd:"" help:"The cache tiers: statistics, purge."`
	Config     configCmd     `cmd:"" help:"Check or print the configuration."`
	OpenAPI    openapiCmd    `cmd:"" name:"openapi" hidden:"" help:"Print the OpenAPI document."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
	Help       helpCmd       `cmd:"" help:"Show help for a command."`
	Completion completionCmd `cmd:"" help:"Print a shell completion script."`
}

// streams are the process's outputs: results on Out, progress and logs on Err.
type streams struct {
	Out io.Writer
	Err io.Writer
}

func main() { os.Exit(run(os.Args[1:], streams{os.Stdout, os.Stderr})) }

func newParser(s streams, exit func(code int)) (*kong.Kong, error) {
	return kong.New(&cli{}, append(inputMappers(), kong.NamedMapper("span", kong.MapperFunc(decodeSpan)), kong.Name("stampede"), kong.UsageOnError(), kong.Writers(s.Out, s.Err),
		kong.Description("An e-commerce platform that stays fast and correct when everybody comes at once."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: false}), kong.Exit(exit))...)
}

func run(args []string, s streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exited := -1
	parser, err := newParser(s, func(code int) { exited = code })
	if err != nil {
		_, _ = fmt.Fprintln(s.Err, "stampede:", err)
		return exitFail
	}
	if len(args) == 0 {
		args = []string{"help"}
	}
	kctx, err := parser.Parse(args)
	if exited >= 0 {
		return exited // --help was shown
	}
	if err != nil {
		_, _ = fmt.Fprintf(s.Err, "stampede: %v\nRun \"stampede help\" for usage.\n", err)
		return exitUsage
	}
	kctx.BindTo(ctx, (*context.Context)(nil))
	kctx.Bind(s, parser)
	return exitCode(kctx.Run(), s.Err)
}

// usageError is a wrong argument that the parser could not see.
type usageError struct{ error }

func exitCode(err error, stderr io.Writer) int {
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errFails):
		return exitFail
	case errors.As(err, &usage), errors.Is(err, config.ErrNotConfigured):
		_, _ = fmt.Fprintln(stderr, "stampede:", err)
		return exitUsage
	default:
		_, _ = fmt.Fprintln(stderr, "stampede:", err)
		return exitFail
	}
}
