package crossfleet.example;

import static crossfleet.api.types.v1.DeviceOuterClass.WorkerState.WORKER_STATE_READY;

import crossfleet.api.scheduler.v1.SchedulerServiceOuterClass.TaskGroup;
import crossfleet.api.types.v1.DeviceOuterClass.Device;
import crossfleet.api.types.v1.DeviceOuterClass.Worker;
import crossfleet.api.types.v1.SuiteOuterClass.DeviceRequest;
import crossfleet.example.Selectors.Selector;
import java.util.*;

/** A group, what it holds and still wants. `slip`: why its selectors are not understood. */
final class Wish {
    final TaskGroup row;
    final Selector selector;
    final List<Demand> demands = new ArrayList<>();
    final String slip;
    long held;
    long wanted;

    Wish(TaskGroup row, Selectors selectors) {
        this.row = row;
        this.wanted = row.getWantedSlots();
        this.selector = selectors.compile(row.getSelector());
        List<DeviceRequest> asked = row.getRequest().getDevicesList();
        if (asked.isEmpty() && selector.ofDevice()) {
            asked = List.of(DeviceRequest.getDefaultInstance());
        }
        String slip = selector.slip();
        for (DeviceRequest one : asked) {
            Selector own = selectors.compile(one.getSelector());
            demands.add(new Demand(one.getDeviceClass(), Math.max(one.getCount(), 1), own, List.of()));
            slip = slip == null ? own.slip() : slip;
        }
        this.slip = slip;
    }
}

/** Devices that each slot gets, and those of a worker that would do. */
record Demand(String deviceClass, int count, Selector selector, List<Device> able) {}

/** Slots of a host, and their devices. */
record Place(Host host, long slots, Collection<String> devices) {}

/** The machine that workers share: closed, where somebody has it for himself. */
final class Site {
    boolean used;
    boolean closed;
}

/** A worker and what is left of it. Cores are counted in thousandths, since sums of floats drift. */
final class Host {
    private static final Set<String> BLOCKING = Set.of("lost", "unhealthy", "quarantined"); // such devices get no work
    private static final Set<String> PASSING = Set.of("quarantined", "disk_full", "upgrading"); // no reason for NEVER

    final Worker row;
    long slots;
    private final Map<String, Object> view;
    private final Set<String> taken = new HashSet<>();
    private long millicores;
    private long memory;
    private final Site site;

    Host(Worker row, Map<String, Site> sites) {
        this.row = row;
        String name = row.getHost().isEmpty() ? "worker " + row.getWorkerId() : row.getHost();
        this.site = sites.computeIfAbsent(name, any -> new Site());
        this.view = Selectors.view(row);
        this.slots = row.getSlots();
        this.millicores = Math.round(row.getCpuCores() * 1000);
        this.memory = row.getMemoryBytes();
    }

    void take(Wish wish, long slots, Collection<String> devices) {
        this.slots -= slots;
        millicores -= slots * slotCores(wish);
        memory -= slots * wish.row.getRequest().getMemoryBytes();
        taken.addAll(devices);
        site.used = true;
        site.closed |= wish.row.getRequest().getExclusive();
    }

    private long slotCores(Wish wish) {
        double cores = wish.row.getRequest().getCpuCores();
        return cores > 0 ? Math.round(cores * 1000) : Math.round(row.getCpuCores() * 1000) / Math.max(row.getSlots(), 1);
    }

    /** How many slots cores and memory do for. */
    private long room(Wish wish, long slots, long millicores, long memory) {
        long cores = slotCores(wish);
        long bytes = wish.row.getRequest().getMemoryBytes();
        slots = cores > 0 ? Math.min(slots, millicores / cores) : slots;
        return bytes > 0 ? Math.min(slots, memory / bytes) : slots;
    }

    /** As many slots as a group wants and there are, with the devices of each; null where those are too few. */
    Place place(Wish wish) {
        long most = Math.min(room(wish, slots, millicores, memory), wish.wanted);
        long least = Math.max(Math.min(wish.row.getRequest().getSlotsMin() - wish.held, wish.wanted), 1);
        boolean alone = wish.row.getRequest().getExclusive();
        boolean open = row.getState() == WORKER_STATE_READY && !site.closed && !(site.used && alone);
        if (!open || most < least || wish.slip != null || wish.row.getRequest().getGang() > 1) {
            return null;
        }
        List<Demand> demands = new ArrayList<>();
        if (misfit(wish, Set.copyOf(wish.row.getRequest().getTolerationsList()), demands) != null) {
            return null;
        }
        Set<String> devices = new LinkedHashSet<>();
        long found = demands.isEmpty() ? most : 0;
        for (Set<String> own; found < most && (own = choose(demands, devices)) != null; found++) {
            devices.addAll(own);
        }
        return found < least ? null : new Place(this, found, devices);
    }

    /** The devices of one slot beside those of others; null where some are missing. Processors serve every slot. */
    private Set<String> choose(List<Demand> demands, Set<String> others) {
        Set<String> own = new LinkedHashSet<>();
        for (Demand one : demands) {
            int left = one.count();
            for (Device device : one.able()) {
                String id = device.getDeviceId();
                if (left > 0 && (shared(device) || !taken.contains(id) && !others.contains(id) && !own.contains(id))) {
                    own.add(id);
                    left--;
                }
            }
            if (left > 0) {
                return null;
            }
        }
        return own;
    }

    private static boolean shared(Device device) {
        return device.getDeviceClass().equals("cpu");
    }

    /** What keeps a group off this worker even when it is idle; null: nothing. */
    String misfit(Wish wish) {
        Set<String> tolerated = new HashSet<>(PASSING);
        tolerated.addAll(wish.row.getRequest().getTolerationsList());
        long whole = room(wish, row.getSlots(), Math.round(row.getCpuCores() * 1000), row.getMemoryBytes());
        String misfit = misfit(wish, tolerated, new ArrayList<>());
        return misfit == null && whole < Math.max(wish.row.getRequest().getSlotsMin(), 1) ? "size" : misfit;
    }

    /** The same whatever is in use; `demands` gets the devices that would do. */
    private String misfit(Wish wish, Set<String> tolerated, List<Demand> demands) {
        if (!wish.row.getRunner().isEmpty() && !row.getRunnersList().contains(wish.row.getRunner())) {
            return "runner";
        }
        if (!wish.selector.ofDevice() && !wish.selector.holds(view)) {
            return "selector";
        }
        for (var gate : wish.row.getRequest().getGates().getAllFields().keySet()) {
            if (!Set.of("wait", "repeats").contains(gate.getName()) && !row.getGatesList().contains(gate.getName())) {
                return "gates";
            }
        }
        if (!tolerated.contains("*") && !tolerated.containsAll(row.getTaintsList())) {
            return "taint";
        }
        for (Demand one : wish.demands) {
            List<Device> able = new ArrayList<>();
            for (int i = 0; i < row.getDevicesCount(); i++) {
                Device device = row.getDevices(i);
                view.put("device", ((List<?>) view.get("devices")).get(i));
                boolean broken = device.getConditionsList().stream()
                        .anyMatch(fact -> BLOCKING.contains(fact) && !tolerated.contains(fact));
                boolean ofClass = one.deviceClass().isEmpty() || one.deviceClass().equals(device.getDeviceClass());
                if (!broken && ofClass && wish.selector.holds(view) && one.selector().holds(view)) {
                    able.add(device);
                }
            }
            if (able.size() < one.count()) {
                return "devices";
            }
            able.sort(Comparator.comparing(device -> !shared(device))); // first what everybody shares
            demands.add(new Demand(one.deviceClass(), one.count(), one.selector(), able));
        }
        demands.sort(Comparator.comparing(one -> one.able().size()));
        return null;
    }
}
