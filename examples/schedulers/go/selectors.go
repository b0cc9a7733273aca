// Selectors: what they see of a worker, and when they hold.
package main

import (
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
	values "cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	types "crossfleet.example/firstfit/gen/crossfleet/api/types/v1"
)

// What selectors are written in: CEL over worker and devices, and over device where they are about one.
var (
	record  = cel.MapType(cel.StringType, cel.DynType)
	workers = must(cel.NewEnv(
		cel.Variable("worker", record), cel.Variable("devices", cel.ListType(record)),
		cel.Function("quantity", cel.Overload("quantity_string", []*cel.Type{cel.StringType}, cel.IntType, unary(quantity))),
		cel.Function("version",
			cel.Overload("version_string", []*cel.Type{cel.StringType}, cel.BytesType, unary(version)),
			cel.Overload("version_bytes", []*cel.Type{cel.BytesType}, cel.BytesType,
				cel.UnaryBinding(func(encoded ref.Val) ref.Val { return encoded })))))
	withDevice = must(workers.Extend(cel.Variable("device", record)))
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func unary[T any](read func(string) (T, error)) cel.OverloadOpt {
	return cel.UnaryBinding(func(text ref.Val) ref.Val {
		value, err := read(text.Value().(string))
		if err != nil {
			return values.WrapErr(err)
		}
		return values.DefaultTypeAdapter.NativeToValue(value)
	})
}

// A selector without a program takes everything; one with a slip is not understood.
type selector struct {
	program  cel.Program
	ofDevice bool
	slip     error
}

func compile(text string, compiled map[string]selector) selector {
	if text = strings.TrimSpace(text); text == "" || text == "true" {
		return selector{}
	}
	found, ok := compiled[text]
	if !ok {
		ast, issues := workers.Compile(text)
		if found.ofDevice = issues.Err() != nil; found.ofDevice { // it names device, or it does not compile at all
			ast, issues = withDevice.Compile(text)
		}
		if found.slip = issues.Err(); found.slip == nil {
			found.program, found.slip = withDevice.Program(ast)
		}
		if len(compiled) > 1000 {
			clear(compiled)
		}
		compiled[text] = found
	}
	return found
}

// holds is true where the selector is exactly true: what is missing, or cannot be compared, does not match.
func (s selector) holds(view map[string]any) bool {
	if s.program == nil {
		return s.slip == nil
	}
	value, _, err := s.program.Eval(view)
	return err == nil && value == values.True
}

// view is what selectors see of a worker.
func view(w *types.Worker) map[string]any {
	worker := map[string]any{"name": w.WorkerId, "labels": w.Labels, "cpu": w.CpuCores, "cpu_cores": w.CpuCores,
		"memory": w.MemoryBytes, "slots": int64(w.Slots), "taints": w.Taints, "runners": w.Runners, "host": w.Host}
	if encoded, err := version(w.Version); err == nil {
		worker["version"] = encoded
	}
	devices := make([]map[string]any, len(w.Devices))
	for i, device := range w.Devices {
		attributes := map[string]any{}
		for name, value := range device.Attributes {
			switch kind := value.Kind.(type) {
			case *types.AttributeValue_BoolValue:
				attributes[name] = kind.BoolValue
			case *types.AttributeValue_IntValue:
				attributes[name] = kind.IntValue
			case *types.AttributeValue_DoubleValue:
				attributes[name] = kind.DoubleValue
			case *types.AttributeValue_StringValue:
				attributes[name] = kind.StringValue
			case *types.AttributeValue_ListValue:
				attributes[name] = kind.ListValue.Values
			case *types.AttributeValue_VersionValue:
				attributes[name] = kind.VersionValue
				if encoded, err := version(kind.VersionValue); err == nil {
					attributes[name] = encoded
				}
			}
		}
		devices[i] = maps.Clone(attributes)
		for name, amount := range device.Capacities {
			devices[i][name] = amount
		}
		devices[i]["class"], devices[i]["conditions"] = device.DeviceClass, device.Conditions
		devices[i]["attributes"], devices[i]["capacities"] = attributes, device.Capacities
	}
	return map[string]any{"worker": worker, "devices": devices}
}

var quantityShape = regexp.MustCompile(`^(\d+(?:\.\d+)?)\s*([A-Za-z]*?)B?$`)
var units = map[string]int64{"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50}

// quantity reads `16Gi`, `1.5 GiB` or `500M` as a whole number.
func quantity(text string) (int64, error) {
	found := quantityShape.FindStringSubmatch(strings.TrimSpace(text))
	if found == nil || units[found[2]] == 0 {
		return 0, fmt.Errorf("%q is not a quantity", text)
	}
	value, _ := new(big.Rat).SetString(found[1])
	value.Mul(value, new(big.Rat).SetInt64(units[found[2]]))
	whole := new(big.Int).Quo(value.Num(), value.Denom())
	if !whole.IsInt64() {
		return 0, fmt.Errorf("%q is too large", text)
	}
	return whole.Int64(), nil
}

var versionShape = regexp.MustCompile(`^v?(\d{1,18}(?:\.\d{1,18}){0,7})(?:[-._+~]?([0-9A-Za-z][0-9A-Za-z.+~_-]*))?$`)
var trailingZeros = regexp.MustCompile(`(?:\.0+)+$`)
var preRelease = regexp.MustCompile(`^(?:a|b|c|rc|alpha|beta|dev|pre|preview)[._-]?\d*(?:$|[.+~_-])`)

// version encodes a version as bytes that are ordered as versions are.
func version(text string) ([]byte, error) {
	found := versionShape.FindStringSubmatch(strings.TrimSpace(text))
	if found == nil {
		return nil, fmt.Errorf("%q is not a version", text)
	}
	parts := strings.Split(trailingZeros.ReplaceAllString(found[1], ""), ".")
	for i, part := range parts {
		parts[i] = strings.Repeat("0", 18-len(part)) + part
	}
	// A pre-release sorts before the plain version, and that before any other suffix and before further parts.
	mark, suffix := "-", strings.ToLower(found[2])
	if suffix != "" && preRelease.MatchString(suffix) {
		mark = ","
	}
	return []byte(strings.Join(parts, ".") + mark + suffix), nil
}
