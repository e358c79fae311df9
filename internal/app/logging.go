package app

import (
	"context"
	"io"
	"log/slog"
	"net/url"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/httpapi"
)

// newLogger writes JSON lines; Validate has checked the level.
func newLogger(w io.Writer, cfg config.LogConfig, process string) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Level))
	h := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
	return slog.New(httpapi.LogHandler(h)).With("process", process) // lines of a request carry its id
}

// startTracing exports spans when an endpoint is configured; the returned stop flushes them. Trace context is passed on
// either way.
func startTracing(ctx context.Context, cfg config.OTelConfig, process string) (stop func(context.Context) error, err error) {
	otel.SetTextMapPropagator(propagation.TraceContext{})
	if cfg.Endpoint == "" {
		return func(context.Context) error { return nil }, nil
	}
	u, err := url.Parse(cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	opts := []otlptracehttp.Option{otlptracehttp.WithEndpoint(u.Host)}
	if u.Scheme == "http" {
		opts = append(opts, otlptracehttp.WithInsecure())
	}
	exporter, err := otlptracehttp.New(ctx, opts...)
	if err != nil {
		return nil, err
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter),
		trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(cfg.Sample))),
		trace.WithResource(resource.NewSchemaless(semconv.ServiceName("stampede"), semconv.ServiceInstanceID(process))))
	otel.SetTracerProvider(provider)
	return provider.Shutdown, nil
}
