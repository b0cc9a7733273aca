// Selectors: CEL over worker and devices, and over device where they are about one.
import { celEnv, celFunc, CelScalar, parse, plan, type CelInput } from "@bufbuild/cel";
import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { AttributeValue, Worker } from "./gen/crossfleet/api/types/v1/device_pb.js";

type Row = Map<string, CelInput>;

/** What selectors see of a worker. */
export interface View {
  worker: Row;
  devices: Row[];
  device?: Row | undefined;
}

/** `slip`: why it is not understood; then it holds nowhere. */
export interface Selector {
  ofDevice: boolean;
  slip?: string;
  /** True where it is exactly true: what is missing, or cannot be compared, does not match. */
  holds(view: View): boolean;
}

const EVERYTHING: Selector = { ofDevice: false, holds: () => true };
const ENVIRONMENT = celEnv({
  funcs: [
    celFunc("quantity", [CelScalar.STRING], CelScalar.INT, quantity),
    celFunc("version", [CelScalar.STRING], CelScalar.BYTES, version),
    celFunc("version", [CelScalar.BYTES], CelScalar.BYTES, (encoded) => encoded),
  ],
});

export class Selectors {
  private readonly compiled = new Map<string, Selector>();

  compile(text: string): Selector {
    text = text.trim();
    if (text === "" || text === "true") return EVERYTHING;
    const known = this.compiled.get(text) ?? compile(text);
    if (this.compiled.size > 1000) this.compiled.clear();
    this.compiled.set(text, known);
    return known;
  }
}

function compile(text: string): Selector {
  try {
    const parsed = parse(text);
    const evaluate = plan(ENVIRONMENT, parsed);
    return { ofDevice: names(parsed.expr, "device"), holds: (view) => evaluate({ ...view }) === true };
  } catch (slip) {
    return { ofDevice: false, slip: String(slip), holds: () => false };
  }
}

/** Whether an expression speaks of a variable, other than as one of its own loops. */
function names(expr: Expr | undefined, name: string): boolean {
  const within = (...parts: (Expr | undefined)[]) => parts.some((part) => names(part, name));
  switch (expr?.exprKind.case) {
    case "identExpr":
      return expr.exprKind.value.name === name;
    case "selectExpr":
      return within(expr.exprKind.value.operand);
    case "callExpr":
      return within(expr.exprKind.value.target, ...expr.exprKind.value.args);
    case "listExpr":
      return within(...expr.exprKind.value.elements);
    case "structExpr":
      return expr.exprKind.value.entries.some(
        ({ keyKind, value }) => within(value) || (keyKind.case === "mapKey" && within(keyKind.value)),
      );
    case "comprehensionExpr": {
      const { iterVar, iterRange, accuInit, loopCondition, loopStep, result } = expr.exprKind.value;
      return within(iterRange, accuInit) || (iterVar !== name && within(loopCondition, loopStep, result));
    }
    default:
      return false;
  }
}

/** What selectors see of a worker. */
export function view(row: Worker): View {
  const worker: Row = new Map<string, CelInput>([
    ["name", row.workerId],
    ["labels", row.labels],
    ["cpu", row.cpuCores],
    ["cpu_cores", row.cpuCores],
    ["memory", row.memoryBytes],
    ["slots", BigInt(row.slots)],
    ["taints", row.taints],
    ["runners", row.runners],
    ["host", row.host],
  ]);
  if (VERSION.test(row.version.trim())) worker.set("version", version(row.version));
  const devices = row.devices.map((device) => {
    const attributes: Row = new Map();
    for (const [name, value] of Object.entries(device.attributes)) {
      const seen = plain(value);
      if (seen !== undefined) attributes.set(name, seen);
    }
    return new Map<string, CelInput>([
      ...attributes,
      ...Object.entries(device.capacities),
      ["class", device.deviceClass],
      ["attributes", attributes],
      ["capacities", device.capacities],
      ["conditions", device.conditions],
    ]);
  });
  return { worker, devices };
}

function plain({ kind }: AttributeValue): CelInput | undefined {
  if (kind.case === "listValue") return kind.value.values;
  return kind.case === "versionValue" && VERSION.test(kind.value.trim()) ? version(kind.value) : kind.value;
}

const UNITS = new Map<string, bigint>([["", 1n]]);
[..."KMGTP"].forEach((letter, at) => {
  UNITS.set(`${letter}i`, 1024n ** BigInt(at + 1));
  UNITS.set(letter, 1000n ** BigInt(at + 1));
});
UNITS.set("k", 1000n);

/** Reads `16Gi`, `1.5 GiB` or `500M` as a whole number. */
function quantity(text: string): bigint {
  const [, whole, fraction, unit] = /^(\d+)(?:\.(\d+))?\s*([A-Za-z]*?)B?$/.exec(text.trim()) ?? [];
  const factor = UNITS.get(unit ?? "?");
  if (whole === undefined || factor === undefined) throw new Error(`${text} is not a quantity`);
  const value = (BigInt(whole + (fraction ?? "")) * factor) / 10n ** BigInt(fraction?.length ?? 0);
  if (value >= 2n ** 63n) throw new Error(`${text} is too large`);
  return value;
}

const VERSION = /^v?(\d{1,18}(?:\.\d{1,18}){0,7})(?:[-._+~]?([0-9A-Za-z][0-9A-Za-z.+~_-]*))?$/;
const PRE_RELEASE = /^(?:a|b|c|rc|alpha|beta|dev|pre|preview)[._-]?\d*(?:$|[.+~_-])/;

/** Encodes a version as bytes that are ordered as versions are. */
function version(text: string): Uint8Array {
  const [, numbers, suffix = ""] = VERSION.exec(text.trim()) ?? [];
  if (numbers === undefined) throw new Error(`${text} is not a version`);
  const parts = numbers.replace(/(?:\.0+)+$/, "").split(".");
  // A pre-release sorts before the plain version, and that before any other suffix and before further parts.
  const mark = PRE_RELEASE.test(suffix.toLowerCase()) ? "," : "-";
  return new TextEncoder().encode(parts.map((part) => part.padStart(18, "0")).join(".") + mark + suffix.toLowerCase());
}
