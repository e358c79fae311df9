package config

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
)

// Load reads the configuration: defaults, then the YAML file (path "" for none), then STAMPEDE_* variables, then
// overrides by key. Unknown keys in the file are errors; [UnknownEnv] tells of STAMPEDE_* variables that are no key.
func Load(path string, overrides map[string]any) (Config, error) {
	k := koanf.New(".")
	if err := k.Load(structs.Provider(Default(), "koanf"), nil); err != nil {
		return Config{}, err
	}
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return Config{}, fmt.Errorf("configuration file %s: %w", path, err)
		}
	}
	if err := k.Load(env.Provider(".", env.Opt{Prefix: EnvPrefix, TransformFunc: EnvKeys()}), nil); err != nil {
		return Config{}, err
	}
	if err := k.Load(confmap.Provider(overrides, "."), nil); err != nil {
		return Config{}, err
	}
	var cfg Config
	err := k.UnmarshalWithConf("", &cfg, koanf.UnmarshalConf{Tag: "koanf", DecoderConfig: &mapstructure.DecoderConfig{
		Result: &cfg, TagName: "koanf", ErrorUnused: true, WeaklyTypedInput: true,
		DecodeHook: mapstructure.ComposeDecodeHookFunc(
			mapstructure.StringToTimeDurationHookFunc(), timeHook, warmHook, shardListHook, serverHook, mapstructure.StringToSliceHookFunc(",")),
	}})
	if err != nil {
		return Config{}, explainDecode(err, k.Get)
	}
	return cfg, cfg.Validate()
}

// EnvPrefix is what the names of variables that set keys begin with.
const EnvPrefix = "STAMPEDE_"

// EnvKeys maps variables to keys: only those of the Config struct, so that STAMPEDE_CATALOG_POOL_SIZE finds pool_size.
func EnvKeys() func(k, v string) (string, any) {
	known := map[string]string{}
	leaves(reflect.TypeOf(Config{}), "", func(key string) { known[envName(key)] = key })
	return func(k, v string) (string, any) {
		return known[k], v // an unknown variable maps to "" and is skipped
	}
}

// envName is the variable that sets a key.
func envName(key string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// leaves calls f with the dotted path of every setting; lists of structs count as one.
func leaves(t reflect.Type, prefix string, f func(key string)) {
	for i := range t.NumField() {
		field := t.Field(i)
		key := prefix + field.Tag.Get("koanf")
		if field.Type.Kind() == reflect.Struct {
			leaves(field.Type, key+".", f)
			continue
		}
		f(key)
	}
}

// shardListHook reads STAMPEDE_SHARDS="shard1=DSN,shard2*2=DSN" (ID, optionally *weight).
func shardListHook(from, to reflect.Type, data any) (any, error) {
	s, ok := data.(string)
	if !ok || to != reflect.TypeOf([]ShardConfig(nil)) {
		return data, nil
	}
	var out []map[string]any
	for _, item := range splitShards(s) {
		name, dsn, ok := strings.Cut(strings.TrimSpace(item), "=")
		if !ok {
			return nil, fmt.Errorf("shards: %q is not ID=DSN or ID*WEIGHT=DSN", item)
		}
		id, weight, ok := strings.Cut(name, "*")
		if !ok {
			weight = "1"
		}
		out = append(out, map[string]any{"id": id, "weight": weight, "dsn": dsn})
	}
	return out, nil
}

// nextShard begins another shard in STAMPEDE_SHARDS; a DSN may have commas of its own, between its hosts.
var nextShard = regexp.MustCompile(`,\s*[\w.-]+(\*\d+)?=`)

func splitShards(s string) (items []string) {
	from := 0
	for _, at := range nextShard.FindAllStringIndex(s, -1) {
		items = append(items, s[from:at[0]])
		from = at[0] + 1
	}
	return append(items, s[from:])
}

// serverHook reads servers that are given by their DSNs alone.
func serverHook(_, to reflect.Type, data any) (any, error) {
	text, ok := data.(string)
	switch {
	case ok && to == reflect.TypeFor[ServerConfig]():
		return map[string]any{"dsn": text}, nil
	case ok && to == reflect.TypeFor[[]ServerConfig]():
		return strings.Split(text, ","), nil
	}
	return data, nil
}

// ReadOrDefault is Load for commands whose file is optional: a missing path is an error, an empty one is not.
func ReadOrDefault(path string) (Config, error) {
	if path != "" {
		if _, err := os.Stat(path); err != nil {
			return Config{}, fmt.Errorf("configuration file: %w", err)
		}
	}
	return Load(path, nil)
}
