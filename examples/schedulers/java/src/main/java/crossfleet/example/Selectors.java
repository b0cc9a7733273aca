package crossfleet.example;

import crossfleet.api.types.v1.DeviceOuterClass.AttributeValue;
import crossfleet.api.types.v1.DeviceOuterClass.Device;
import crossfleet.api.types.v1.DeviceOuterClass.Worker;
import dev.cel.common.CelFunctionDecl;
import dev.cel.common.CelOptions;
import dev.cel.common.CelOverloadDecl;
import dev.cel.common.CelValidationException;
import dev.cel.common.CelValidationResult;
import dev.cel.common.types.CelType;
import dev.cel.common.types.ListType;
import dev.cel.common.types.MapType;
import dev.cel.common.types.SimpleType;
import dev.cel.common.values.CelByteString;
import dev.cel.compiler.CelCompiler;
import dev.cel.compiler.CelCompilerFactory;
import dev.cel.parser.CelStandardMacro;
import dev.cel.runtime.CelEvaluationException;
import dev.cel.runtime.CelFunctionBinding;
import dev.cel.runtime.CelRuntime;
import dev.cel.runtime.CelRuntimeFactory;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Selectors: CEL over worker and devices, and over device where they are about one. */
final class Selectors {
    /** One without a program takes everything; one with a slip is not understood. */
    record Selector(CelRuntime.Program program, boolean ofDevice, String slip) {
        /** True where it is exactly true: what is missing, or cannot be compared, does not match. */
        boolean holds(Map<String, ?> view) {
            try {
                return program == null ? slip == null : Boolean.TRUE.equals(program.eval(view));
            } catch (CelEvaluationException missing) {
                return false;
            }
        }
    }

    private static final CelOptions OPTIONS = CelOptions.current().enableHeterogeneousNumericComparisons(true).build();
    private static final CelType RECORD = MapType.create(SimpleType.STRING, SimpleType.DYN);
    private static final CelCompiler WORKERS = CelCompilerFactory.standardCelCompilerBuilder().setOptions(OPTIONS)
            .setStandardMacros(CelStandardMacro.STANDARD_MACROS)
            .addVar("worker", RECORD).addVar("devices", ListType.create(RECORD))
            .addFunctionDeclarations(
                    CelFunctionDecl.newFunctionDeclaration("quantity",
                            CelOverloadDecl.newGlobalOverload("quantity_string", SimpleType.INT, SimpleType.STRING)),
                    CelFunctionDecl.newFunctionDeclaration("version",
                            CelOverloadDecl.newGlobalOverload("version_string", SimpleType.BYTES, SimpleType.STRING),
                            CelOverloadDecl.newGlobalOverload("version_bytes", SimpleType.BYTES, SimpleType.BYTES)))
            .build();
    private static final CelCompiler WITH_DEVICE = WORKERS.toCompilerBuilder().addVar("device", RECORD).build();
    private static final CelRuntime RUNTIME = CelRuntimeFactory.standardCelRuntimeBuilder().setOptions(OPTIONS)
            .addFunctionBindings(CelFunctionBinding.from("quantity_string", String.class, Selectors::quantity))
            .addFunctionBindings(CelFunctionBinding.fromOverloads("version",
                    CelFunctionBinding.from("version_string", String.class, Selectors::version),
                    CelFunctionBinding.from("version_bytes", CelByteString.class, encoded -> encoded)))
            .build();

    private final Map<String, Selector> compiled = new LinkedHashMap<>();

    Selector compile(String text) {
        if (compiled.size() > 1000) {
            compiled.clear();
        }
        return compiled.computeIfAbsent(text.strip(), Selectors::compiled);
    }

    private static Selector compiled(String text) {
        if (text.isEmpty() || text.equals("true")) {
            return new Selector(null, false, null);
        }
        CelValidationResult alone = WORKERS.compile(text);
        boolean ofDevice = alone.hasError(); // it names device, or it does not compile at all
        try {
            CelValidationResult found = ofDevice ? WITH_DEVICE.compile(text) : alone;
            return new Selector(RUNTIME.createProgram(found.getAst()), ofDevice, null);
        } catch (CelValidationException | CelEvaluationException slip) {
            return new Selector(null, ofDevice, slip.getMessage());
        }
    }

    /** What selectors see of a worker. */
    static Map<String, Object> view(Worker row) {
        Map<String, Object> worker = new HashMap<>(Map.of("name", row.getWorkerId(), "labels", row.getLabelsMap(),
                "cpu", row.getCpuCores(), "cpu_cores", row.getCpuCores(), "memory", row.getMemoryBytes(),
                "slots", (long) row.getSlots(), "taints", row.getTaintsList(), "runners", row.getRunnersList(),
                "host", row.getHost()));
        if (VERSION.matcher(row.getVersion().strip()).matches()) {
            worker.put("version", version(row.getVersion()));
        }
        List<Map<String, Object>> devices = new ArrayList<>();
        for (Device device : row.getDevicesList()) {
            Map<String, Object> attributes = new HashMap<>();
            device.getAttributesMap().forEach((name, value) -> plain(value).ifPresent(one -> attributes.put(name, one)));
            Map<String, Object> seen = new HashMap<>(attributes);
            seen.putAll(device.getCapacitiesMap());
            seen.putAll(Map.of("class", device.getDeviceClass(), "attributes", attributes,
                    "capacities", device.getCapacitiesMap(), "conditions", device.getConditionsList()));
            devices.add(seen);
        }
        return new HashMap<>(Map.of("worker", worker, "devices", devices));
    }

    private static Optional<Object> plain(AttributeValue value) {
        return Optional.ofNullable(switch (value.getKindCase()) {
            case BOOL_VALUE -> value.getBoolValue();
            case INT_VALUE -> value.getIntValue();
            case DOUBLE_VALUE -> value.getDoubleValue();
            case STRING_VALUE -> value.getStringValue();
            case LIST_VALUE -> value.getListValue().getValuesList();
            case VERSION_VALUE -> VERSION.matcher(value.getVersionValue().strip()).matches()
                    ? version(value.getVersionValue()) : value.getVersionValue();
            default -> null;
        });
    }

    private static final Pattern QUANTITY = Pattern.compile("(\\d+(?:\\.\\d+)?)\\s*([A-Za-z]*?)B?");

    /** Reads `16Gi`, `1.5 GiB` or `500M` as a whole number. */
    private static long quantity(String text) {
        Matcher found = QUANTITY.matcher(text.strip());
        String unit = found.matches() ? found.group(2) : "?";
        int power = Math.max("kMGTP".indexOf(unit.replaceFirst("^K", "k").replaceFirst("i$", "")), 0) + 1;
        long factor = switch (unit) {
            case "" -> 1;
            case "k", "K", "M", "G", "T", "P" -> BigDecimal.TEN.pow(3 * power).longValueExact();
            case "Ki", "Mi", "Gi", "Ti", "Pi" -> 1L << 10 * power;
            default -> throw new IllegalArgumentException(text + " is not a quantity");
        };
        BigDecimal value = new BigDecimal(found.group(1)).multiply(BigDecimal.valueOf(factor));
        return value.setScale(0, RoundingMode.DOWN).longValueExact();
    }

    private static final Pattern VERSION =
            Pattern.compile("v?(\\d{1,18}(?:\\.\\d{1,18}){0,7})(?:[-._+~]?([0-9A-Za-z][0-9A-Za-z.+~_-]*))?");
    private static final Pattern PRE_RELEASE =
            Pattern.compile("(?:a|b|c|rc|alpha|beta|dev|pre|preview)[._-]?\\d*(?:$|[.+~_-])");

    /** Encodes a version as bytes that are ordered as versions are. */
    private static CelByteString version(String text) {
        Matcher found = VERSION.matcher(text.strip());
        if (!found.matches()) {
            throw new IllegalArgumentException(text + " is not a version");
        }
        String suffix = found.group(2) == null ? "" : found.group(2).toLowerCase(Locale.ROOT);
        StringJoiner parts = new StringJoiner(".");
        for (String part : found.group(1).replaceFirst("(?:\\.0+)+$", "").split("\\.")) {
            parts.add("0".repeat(18 - part.length()) + part);
        }
        // A pre-release sorts before the plain version, and that before any other suffix and before further parts.
        String mark = PRE_RELEASE.matcher(suffix).lookingAt() ? "," : "-";
        return CelByteString.of((parts + mark + suffix).getBytes(StandardCharsets.UTF_8));
    }
}
