package crossfleet.example;

import crossfleet.api.scheduler.v1.SchedulerServiceGrpc.SchedulerServiceImplBase;
import crossfleet.api.scheduler.v1.SchedulerServiceOuterClass.*;
import io.grpc.Server;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.net.InetSocketAddress;
import java.util.*;
import java.util.concurrent.TimeUnit;

/** Best fit: each group gets as few workers as possible, and of those the fullest, so that whole workers stay free. */
final class BestFit extends SchedulerServiceImplBase {
    /** The coordinator says which workers fit what groups ask for, and what is free of each. */
    @Override
    public void describe(DescribeRequest request, StreamObserver<DescribeResponse> answers) {
        answers.onNext(DescribeResponse.newBuilder().setName("best-fit").setVersion("3")
                .setSnapshotsOnly(true).setWantsFits(true).addAbilities("portions").build());
        answers.onCompleted();
    }

    /** Each snapshot is answered with a plan. From one to the next nothing is kept. */
    @Override
    public StreamObserver<ScheduleRequest> schedule(StreamObserver<ScheduleResponse> plans) {
        return new StreamObserver<>() {
            @Override
            public void onNext(ScheduleRequest update) {
                if (!update.hasSnapshot()) {
                    return; // updates of later versions are passed over
                }
                ScheduleResponse.Builder plan = plan(update.getSnapshot());
                plan.setPlanId("plan-" + update.getRevision()).setBaseRevision(update.getRevision());
                if (plan.getAllocateCount() + plan.getWaitingCount() > 0) {
                    plans.onNext(plan.build());
                }
            }

            @Override
            public void onError(Throwable cause) {} // the coordinator has gone, and with it the stream

            @Override
            public void onCompleted() {
                plans.onCompleted();
            }
        };
    }

    /** What is left of a worker as the plan takes from it. */
    private static final class Left {
        final String host;
        final Set<String> devices;
        final Map<String, Map<String, Long>> parts = new HashMap<>();
        long slots, millicores, memory;
        boolean idle;

        Left(Free free) {
            host = free.getHost();
            devices = new HashSet<>(free.getDeviceIdsList());
            free.getLeftMap().forEach((id, rest) -> parts.put(id, new HashMap<>(rest.getCapacitiesMap())));
            slots = free.getSlots();
            millicores = free.getMillicores();
            memory = free.getMemoryBytes();
            idle = free.getIdle();
        }
    }

    /** Slots of a worker, and their devices. */
    private record Place(Candidate worker, Left left, long slots, List<String> devices) {}

    private static ScheduleResponse.Builder plan(Snapshot now) {
        ScheduleResponse.Builder plan = ScheduleResponse.newBuilder();
        Map<String, Left> fleet = new HashMap<>();
        now.getFreeMap().forEach((workerId, free) -> fleet.put(workerId, new Left(free)));
        Map<String, Long> held = new HashMap<>();
        now.getAllocationsList().forEach(one -> held.merge(one.getGroupId(), (long) one.getSlots(), Long::sum));
        List<TaskGroup> queue = new ArrayList<>(now.getGroupsList());
        queue.removeIf(group -> group.getWantedSlots() <= 0);
        queue.sort(Comparator.comparing((TaskGroup group) -> -group.getPriority())
                .thenComparing(group -> Math.min(group.getSubmittedUnixSeconds(), group.getDeadlineUnixSeconds() > 0
                        ? group.getDeadlineUnixSeconds() - 86_400 : Double.POSITIVE_INFINITY)));
        for (TaskGroup group : queue) {
            Fit fit = now.getFitsOrDefault(group.getFit(), Fit.getDefaultInstance());
            long wanted = group.getWantedSlots();
            Place place;
            while ((place = best(group, fit, fleet, wanted, held.getOrDefault(group.getGroupId(), 0L))) != null) {
                plan.addAllocateBuilder().setGroupId(group.getGroupId()).setWorkerId(place.worker.getWorkerId())
                        .setSlots((int) place.slots).addAllDeviceIds(place.devices);
                take(place, group, fleet.values());
                held.merge(group.getGroupId(), place.slots, Long::sum);
                wanted -= place.slots;
            }
            if (wanted > 0) {
                plan.addWaiting(why(group, fit));
            }
        }
        return plan;
    }

    /** Where it did not fail for the host's sake; with room for all, else the most; the fullest. */
    private static Place best(TaskGroup group, Fit fit, Map<String, Left> fleet, long wanted, long held) {
        long least = Math.max(Math.min(group.getRequest().getSlotsMin() - held, wanted), 1);
        List<String> avoided = group.getAvoidWorkerIdsList();
        return fit.getCandidatesList().stream()
                .map(worker -> place(group, worker, fleet.get(worker.getWorkerId()), wanted))
                .filter(place -> place.slots >= least)
                .min(Comparator.comparing((Place place) -> avoided.contains(place.worker.getWorkerId()))
                        .thenComparing(place -> -place.slots).thenComparing(place -> place.left.slots))
                .orElse(null);
    }

    /** As many slots of a worker as a group wants and there are, with the devices of each. */
    private static Place place(TaskGroup group, Candidate worker, Left left, long wanted) {
        long most = Math.min(wanted, left.slots);
        if (group.getRequest().getExclusive() && !left.idle || group.getRequest().getGang() > 1) {
            most = 0; // gangs, all or nothing on several workers, are beyond this scheduler
        }
        if (worker.getMillicores() > 0) {
            most = Math.min(most, left.millicores / worker.getMillicores());
        }
        if (worker.getMemoryBytes() > 0) {
            most = Math.min(most, left.memory / worker.getMemoryBytes());
        }
        List<String> devices = new ArrayList<>(worker.getSharedDeviceIdsList());
        long slots = worker.getChoicesCount() == 0 ? most : 0;
        for (Set<String> own; slots < most && (own = choose(worker, left, devices)) != null; slots++) {
            devices.addAll(own);
        }
        return new Place(worker, left, slots, devices);
    }

    /** The devices of one slot beside those of others; null where some are missing. */
    private static Set<String> choose(Candidate worker, Left left, List<String> others) {
        Set<String> own = new LinkedHashSet<>();
        for (Choice choice : worker.getChoicesList()) {
            List<String> able = choice.getDeviceIdsList().stream()
                    .filter(id -> !own.contains(id) && has(choice, left, id, Collections.frequency(others, id))).toList();
            if (able.size() < choice.getCount()) {
                return null;
            }
            own.addAll(able.subList(0, choice.getCount()));
        }
        return own;
    }

    /** Whether a device is free, or where slots take parts of it, whether enough is left after so many times. */
    private static boolean has(Choice choice, Left left, String id, int times) {
        return choice.getTakesCount() > 0 && left.parts.containsKey(id)
                ? choice.getTakesMap().entrySet().stream()
                        .allMatch(one -> left.parts.get(id).get(one.getKey()) >= one.getValue() * (times + 1))
                : times == 0 && left.devices.contains(id);
    }

    /** Subtracts a proposal from what is left. Who wants a host for himself has all workers on it. */
    private static void take(Place place, TaskGroup group, Collection<Left> fleet) {
        Left left = place.left;
        left.slots -= place.slots;
        left.millicores -= place.slots * place.worker.getMillicores();
        left.memory -= place.slots * place.worker.getMemoryBytes();
        left.devices.removeAll(place.devices);
        place.worker.getChoicesList().forEach(choice -> place.devices.stream()
                .filter(choice.getDeviceIdsList()::contains).forEach(id -> left.parts.computeIfPresent(id, (same, rest) -> {
                    choice.getTakesMap().forEach((name, amount) -> rest.merge(name, -amount, Long::sum));
                    return choice.getTakesCount() > 0 ? rest : null; // null: a slot has it whole
                })));
        for (Left other : fleet) {
            if (other.host.equals(left.host)) {
                other.idle = false;
                other.slots = group.getRequest().getExclusive() ? 0 : other.slots;
            }
        }
    }

    /** What a group waits for: what the coordinator says of its fit, where that is all. */
    private static Waiting why(TaskGroup group, Fit fit) {
        Waiting.Builder told = fit.getWaiting().toBuilder().setGroupId(group.getGroupId());
        if (group.getRequest().getGang() > 1) {
            told.setKind(WaitingKind.WAITING_KIND_LATER).setCode("gang").setText("this scheduler does not place gangs");
        } else if (!fit.hasWaiting()) {
            told.setKind(WaitingKind.WAITING_KIND_LATER).setCode("queue").setText("it has not come to its turn");
        }
        return told.build();
    }

    public static void main(String[] arguments) throws Exception {
        String address = arguments.length > 0 ? arguments[0] : "127.0.0.1:7401";
        int colon = address.lastIndexOf(':');
        if (!address.substring(colon + 1).matches("[0-9]{1,5}") || colon < 1) {
            System.err.println("give HOST:PORT, not " + address);
            System.exit(2);
        }
        InetSocketAddress at = new InetSocketAddress(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1)));
        // The coordinator pings every 20 s and sends up to 16 MiB; by itself a server bears 5 minutes and 4 MiB.
        Server server = NettyServerBuilder.forAddress(at)
                .permitKeepAliveTime(10, TimeUnit.SECONDS).permitKeepAliveWithoutCalls(true)
                .maxInboundMessageSize(16 << 20).addService(new BestFit()).build().start();
        System.out.println("serving " + at.getHostString() + ":" + server.getPort());
        server.awaitTermination();
    }
}
