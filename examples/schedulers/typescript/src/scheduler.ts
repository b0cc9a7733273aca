// Spread: each group gets its slots one by one, always from the host that has fewest of them. `scheduler.js HOST:PORT`
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { create } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { Host, Wish, type Site } from "./fit.js";
import {
  ProposedAllocationSchema,
  ScheduleResponseSchema,
  SchedulerService,
  WaitingKind,
  WaitingSchema,
  type ScheduleRequest,
  type ScheduleResponse,
  type Snapshot,
  type Waiting,
} from "./gen/crossfleet/api/scheduler/v1/scheduler_service_pb.js";
import { Selectors } from "./selectors.js";

// Each snapshot is answered with a plan. From one to the next nothing is kept but compiled selectors.
async function* schedule(updates: AsyncIterable<ScheduleRequest>) {
  const selectors = new Selectors();
  for await (const { revision, update } of updates) {
    if (update.case !== "snapshot") continue; // updates of later versions are passed over
    const plan = makePlan(update.value, selectors);
    plan.planId = `plan-${revision}`;
    plan.baseRevision = revision;
    if (plan.allocate.length + plan.waiting.length > 0) yield plan;
  }
}

function makePlan(now: Snapshot, selectors: Selectors): ScheduleResponse {
  const plan = create(ScheduleResponseSchema);
  const sites = new Map<string, Site>();
  const hosts = new Map(now.workers.map((row) => [row.workerId, new Host(row, sites)]));
  const wishes = new Map(now.groups.map((row) => [row.groupId, new Wish(row, selectors)]));
  for (const one of now.allocations) {
    // Closing ones hold as well, and those of groups that are gone.
    hosts.get(one.workerId)?.take(wishes.get(one.groupId), one.slots, one.deviceIds);
  }
  const queue = [...wishes.values()].sort(
    ({ row: a }, { row: b }) => b.priority - a.priority || a.submittedUnixSeconds - b.submittedUnixSeconds,
  );
  for (const wish of queue) {
    for (const [host, slots] of spread(wish, [...hosts.values()])) {
      const deviceIds = host.place(wish, 1, slots)?.devices ?? [];
      host.take(wish, slots, deviceIds);
      wish.wanted -= slots;
      plan.allocate.push(
        create(ProposedAllocationSchema, { groupId: wish.row.groupId, workerId: host.row.workerId, slots, deviceIds }),
      );
    }
    if (wish.wanted > 0) plan.waiting.push(why(wish, [...hosts.values()]));
  }
  return plan;
}

// How many slots each host gives. Of hosts with as many, the emptiest; those where it failed for the host's sake come last.
function spread(wish: Wish, hosts: Host[]): Map<Host, number> {
  const given = new Map<Host, number>();
  const counts = new Map(wish.on); // by the name of the host: several workers may be on one
  const rooms = hosts.map((host) => host.place(wish, 1, wish.wanted)?.slots ?? 0);
  const fewest = wish.row.request?.slotsMin ?? 0;
  const alone = wish.row.request?.exclusive ?? false; // then it gets one worker of each host
  let held = wish.held;
  for (let left = wish.wanted; left > 0; ) {
    const step = Math.min(Math.max(fewest - held, 1), left);
    let best: Host | undefined;
    let bestRank: number[] = [];
    hosts.forEach((host, at) => {
      const room = rooms[at]! - (given.get(host) ?? 0);
      const avoided = wish.row.avoidWorkerIds.includes(host.row.workerId) ? 1 : 0;
      const rank = [avoided, counts.get(host.name) ?? 0, -room];
      const shared = alone && [...given.keys()].some((other) => other !== host && other.name === host.name);
      if (!shared && room >= step && (!best || less(rank, bestRank))) [best, bestRank] = [host, rank];
    });
    if (!best) break;
    given.set(best, (given.get(best) ?? 0) + step);
    counts.set(best.name, (counts.get(best.name) ?? 0) + step);
    held += step;
    left -= step;
  }
  return given;
}

function less(a: number[], b: number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at >= 0 && a[at]! < b[at]!;
}

// What a group waits for. NEVER makes its run fail: it is for what no worker, idle, could satisfy.
function why(wish: Wish, hosts: Host[]): Waiting {
  const misfits = hosts.map((host) => host.misfitIdle(wish)).filter((misfit) => misfit !== undefined);
  const told = (code: string, text: string, kind = WaitingKind.LATER) =>
    create(WaitingSchema, { groupId: wish.row.groupId, kind, code, text });
  if (hosts.length === 0) return told("no_workers", "the fleet has no workers yet");
  // The coordinator took the selector: it is this scheduler that lacks something.
  if (wish.slip) return told("selector", `this scheduler does not understand its selector: ${wish.slip}`);
  if (wish.gang) return told("gang", "this scheduler does not place gangs");
  const able = hosts.length - misfits.length;
  if (able > 0) return told("busy", `${able} of ${hosts.length} workers can take it once they are free`);
  const named = [...new Set(misfits)].sort();
  return told(named[0]!, `no worker of ${hosts.length} can take it, for its ${named.join(", ")}`, WaitingKind.NEVER);
}

const [, host, port] = /^(.+):(\d{1,5})$/.exec(process.argv[2] ?? "127.0.0.1:7401") ?? [];
if (!port) {
  console.error(`give HOST:PORT, not ${process.argv[2]}`);
  process.exit(2);
}
const server = createServer(
  connectNodeAdapter({
    connect: false,
    grpcWeb: false,
    routes: (router) =>
      router.service(SchedulerService, {
        describe: () => ({ name: "spread", version: "1", snapshotsOnly: true }),
        schedule,
      }),
  }),
);
server.listen(Number(port), host, () => console.log(`serving ${host}:${(server.address() as AddressInfo).port}`));
