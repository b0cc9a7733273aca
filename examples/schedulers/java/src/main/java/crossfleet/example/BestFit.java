package crossfleet.example;

import static crossfleet.api.scheduler.v1.SchedulerServiceOuterClass.WaitingKind.WAITING_KIND_LATER;
import static crossfleet.api.scheduler.v1.SchedulerServiceOuterClass.WaitingKind.WAITING_KIND_NEVER;

import crossfleet.api.scheduler.v1.SchedulerServiceGrpc.SchedulerServiceImplBase;
import crossfleet.api.scheduler.v1.SchedulerServiceOuterClass.*;
import io.grpc.Server;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.net.InetSocketAddress;
import java.util.*;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** Best fit: each group gets as few workers as possible, and of those the fullest, so that whole workers stay free. */
final class BestFit extends SchedulerServiceImplBase {
    @Override
    public void describe(DescribeRequest request, StreamObserver<DescribeResponse> answers) {
        answers.onNext(DescribeResponse.newBuilder().setName("best-fit").setVersion("1").setSnapshotsOnly(true).build());
        answers.onCompleted();
    }

    /** Each snapshot is answered with a plan. From one to the next nothing is kept but compiled selectors. */
    @Override
    public StreamObserver<ScheduleRequest> schedule(StreamObserver<ScheduleResponse> plans) {
        Selectors selectors = new Selectors();
        return new StreamObserver<>() {
            @Override
            public void onNext(ScheduleRequest update) {
                if (!update.hasSnapshot()) {
                    return; // updates of later versions are passed over
                }
                ScheduleResponse.Builder plan = plan(update.getSnapshot(), selectors);
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

    private static ScheduleResponse.Builder plan(Snapshot now, Selectors selectors) {
        ScheduleResponse.Builder plan = ScheduleResponse.newBuilder();
        Map<String, Host> hosts = new TreeMap<>();
        Map<String, Wish> wishes = new HashMap<>();
        Map<String, Site> sites = new HashMap<>();
        now.getWorkersList().forEach(worker -> hosts.put(worker.getWorkerId(), new Host(worker, sites)));
        now.getGroupsList().forEach(group -> wishes.put(group.getGroupId(), new Wish(group, selectors)));
        Wish gone = new Wish(TaskGroup.getDefaultInstance(), selectors);
        for (Allocation one : now.getAllocationsList()) { // closing ones hold as well, and those of groups that are gone
            Wish owner = wishes.getOrDefault(one.getGroupId(), gone);
            owner.held += one.getSlots();
            if (hosts.containsKey(one.getWorkerId())) {
                hosts.get(one.getWorkerId()).take(owner, one.getSlots(), one.getDeviceIdsList());
            }
        }
        List<Wish> queue = new ArrayList<>(wishes.values());
        queue.sort(Comparator.comparing((Wish wish) -> -wish.row.getPriority())
                .thenComparing(wish -> wish.row.getSubmittedUnixSeconds()).thenComparing(wish -> wish.row.getGroupId()));
        for (Wish wish : queue) {
            for (Place place = best(wish, hosts.values()); place != null; place = best(wish, hosts.values())) {
                plan.addAllocateBuilder().setGroupId(wish.row.getGroupId()).setWorkerId(place.host().row.getWorkerId())
                        .setSlots((int) place.slots()).addAllDeviceIds(place.devices());
                place.host().take(wish, place.slots(), place.devices());
                wish.held += place.slots();
                wish.wanted -= place.slots();
            }
            if (wish.wanted > 0) {
                plan.addWaiting(why(wish, hosts.values()).setGroupId(wish.row.getGroupId()));
            }
        }
        return plan;
    }

    /** Where it did not fail for the host's sake; with room for all, else the most; the fullest. */
    private static Place best(Wish wish, Collection<Host> hosts) {
        List<String> avoided = wish.row.getAvoidWorkerIdsList();
        return hosts.stream().map(host -> host.place(wish)).filter(Objects::nonNull)
                .min(Comparator.comparing((Place one) -> avoided.contains(one.host().row.getWorkerId()))
                        .thenComparing(one -> -one.slots()).thenComparing(one -> one.host().slots))
                .orElse(null);
    }

    /** What a group waits for. NEVER makes its run fail: it is for what no worker, idle, could satisfy. */
    private static Waiting.Builder why(Wish wish, Collection<Host> hosts) {
        List<String> misfits = hosts.stream().map(host -> host.misfit(wish)).filter(Objects::nonNull).toList();
        Waiting.Builder told = Waiting.newBuilder().setKind(WAITING_KIND_LATER);
        if (hosts.isEmpty()) {
            return told.setCode("no_workers").setText("the fleet has no workers yet");
        } else if (wish.slip != null) { // the coordinator took it: it is this scheduler that lacks something
            return told.setCode("selector").setText("this scheduler does not understand its selector: " + wish.slip);
        } else if (wish.row.getRequest().getGang() > 1) {
            return told.setCode("gang").setText("this scheduler does not place gangs");
        } else if (misfits.size() < hosts.size()) {
            int able = hosts.size() - misfits.size();
            return told.setCode("busy").setText(able + " of " + hosts.size() + " workers can take it once they are free");
        }
        String named = misfits.stream().distinct().sorted().collect(Collectors.joining(", "));
        return told.setKind(WAITING_KIND_NEVER).setCode(misfits.stream().min(Comparator.naturalOrder()).get())
                .setText("no worker of " + hosts.size() + " can take it, for its " + named);
    }

    public static void main(String[] arguments) throws Exception {
        String address = arguments.length > 0 ? arguments[0] : "127.0.0.1:7401";
        int colon = address.lastIndexOf(':');
        if (!address.substring(colon + 1).matches("[0-9]{1,5}") || colon < 1) {
            System.err.println("give HOST:PORT, not " + address);
            System.exit(2);
        }
        String host = address.substring(0, colon);
        // The coordinator pings every 20 s and sends up to 16 MiB: by themselves gRPC's servers bear 5 minutes and 4 MiB.
        Server server = NettyServerBuilder
                .forAddress(new InetSocketAddress(host, Integer.parseInt(address.substring(colon + 1))))
                .permitKeepAliveTime(10, TimeUnit.SECONDS).permitKeepAliveWithoutCalls(true)
                .maxInboundMessageSize(16 << 20).addService(new BestFit()).build().start();
        System.out.println("serving " + host + ":" + server.getPort());
        server.awaitTermination();
    }
}
