// Spread: each group gets its slots one by one, always from the host that has fewest of them. `scheduler.js HOST:PORT`
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { create } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  ProposedAllocationSchema,
  ScheduleResponseSchema,
  SchedulerService,
  WaitingKind,
  WaitingSchema,
  type Candidate,
  type Choice,
  type Free,
  type ScheduleRequest,
  type ScheduleResponse,
  type Snapshot,
  type TaskGroup,
  type Waiting,
} from "./gen/crossfleet/api/scheduler/v1/scheduler_service_pb.js";

/** A worker that fits a group, what is free of it, and what it is to give. */
interface Place {
  worker: Candidate;
  free: Free;
  avoided: boolean;
  slots: number;
  devices: string[];
}

/** Each snapshot is answered with a plan. From one to the next nothing is kept. */
async function* schedule(updates: AsyncIterable<ScheduleRequest>) {
  for await (const { revision, update } of updates) {
    if (update.case !== "snapshot") continue; // updates of later versions are passed over
    const plan = makePlan(update.value);
    plan.planId = `plan-${revision}`;
    plan.baseRevision = revision;
    if (plan.allocate.length + plan.waiting.length > 0) yield plan;
  }
}

/** Subtracts what it proposes from the snapshot itself. */
function makePlan(now: Snapshot): ScheduleResponse {
  const plan = create(ScheduleResponseSchema);
  const queue = now.groups.filter((group) => group.wantedSlots > 0);
  const since = (one: TaskGroup) => Math.min(one.submittedUnixSeconds, (one.deadlineUnixSeconds || Infinity) - 86_400);
  queue.sort((a, b) => b.priority - a.priority || since(a) - since(b));
  for (const group of queue) {
    const gangId = isGang(group) ? group.groupId : "";
    for (const { worker, slots, devices } of spread(now, group)) {
      const { workerId } = worker;
      plan.allocate.push(
        create(ProposedAllocationSchema, { groupId: group.groupId, workerId, slots, deviceIds: devices, gangId }),
      );
      group.wantedSlots -= slots;
    }
    if (group.wantedSlots > 0) plan.waiting.push(why(now, group));
  }
  return plan;
}

/** The workers from which a group gets slots, and takes these from what is free. */
function spread(now: Snapshot, group: TaskGroup): Place[] {
  const fit = now.fits[group.fit];
  if (!fit) return [];
  const places = fit.candidates.map((worker): Place => ({
    worker,
    free: now.free[worker.workerId]!,
    avoided: group.avoidWorkerIds.includes(worker.workerId),
    slots: 0,
    devices: [...worker.sharedDeviceIds],
  }));
  const each = Math.max(group.request?.slotsMin ?? 0, 1);
  const hosts = new Set(places.filter((place) => fits(place, each, group)).map((place) => place.free.host));
  if (isGang(group) && hosts.size < group.request!.gang) return []; // all of it at once, or nothing
  let held = 0;
  const on = new Map<string, number>(); // the group's slots by host: several workers may be on one
  for (const one of now.allocations.filter(({ groupId }) => groupId === group.groupId)) {
    held += one.slots;
    const host = now.free[one.workerId]?.host ?? "";
    on.set(host, (on.get(host) ?? 0) + one.slots);
  }
  for (let left = group.wantedSlots; left > 0; ) {
    const step = isGang(group) ? each : Math.min(Math.max(each - held, 1), left);
    const able = places.filter((place) => fits(place, step, group) && !(isGang(group) && place.slots > 0));
    if (able.length === 0) break;
    const best = able.reduce((first, place) => (before(place, first, on) < 0 ? place : first));
    take(now, best, step, group);
    on.set(best.free.host, (on.get(best.free.host) ?? 0) + step);
    held += step;
    left -= step;
  }
  const given = places.filter((place) => place.slots > 0);
  if (group.request?.exclusive) given.forEach(({ free }) => (free.slots = 0));
  return given;
}

/** Those that it avoids last; the host with the fewest slots of the group; of such the emptiest worker. */
function before(a: Place, b: Place, on: Map<string, number>): number {
  return (
    Number(a.avoided) - Number(b.avoided) ||
    (on.get(a.free.host) ?? 0) - (on.get(b.free.host) ?? 0) ||
    b.free.slots - a.free.slots
  );
}

/** Whether a worker has so many slots more, and their devices. For an exclusive group its host must be idle. */
function fits({ worker, free, slots }: Place, step: number, group: TaskGroup): boolean {
  return (
    free.slots >= step &&
    free.millicores >= step * worker.millicores &&
    free.memoryBytes >= BigInt(step) * worker.memoryBytes &&
    (free.idle || slots > 0 || !group.request?.exclusive) &&
    choose(worker, free, step) !== undefined
  );
}

/** Slots on several workers at once, or none. Here these are on different hosts, since a gang is to be spread as well. */
const isGang = ({ request }: TaskGroup) => (request?.gang ?? 0) > 1;

/** Whether a device is free, or where slots take parts of it, whether enough is left beside what others have taken. */
function has({ takes }: Choice, { deviceIds, left }: Free, id: string, others: string[]): boolean {
  const times = others.filter((one) => one === id).length;
  const amounts = Object.entries(takes);
  if (!left[id] || amounts.length === 0) return times === 0 && deviceIds.includes(id);
  return amounts.every(([name, amount]) => left[id]!.capacities[name]! >= amount * BigInt(times + 1));
}

/** The devices of so many slots, beside the shared ones; undefined where some are missing. */
function choose({ choices }: Candidate, free: Free, slots: number): string[] | undefined {
  const chosen: string[] = [];
  for (let slot = 0; slot < slots; slot++) {
    for (const choice of choices) {
      const able = choice.deviceIds.filter((id) => has(choice, free, id, chosen));
      if (able.length < choice.count) return undefined;
      chosen.push(...able.slice(0, choice.count));
    }
  }
  return chosen;
}

/** Takes slots from what is free. Who wants a host for himself has all workers on it. */
function take(now: Snapshot, place: Place, step: number, group: TaskGroup) {
  const { worker, free } = place;
  const chosen = choose(worker, free, step) ?? [];
  place.slots += step;
  place.devices.push(...chosen);
  free.slots -= step;
  free.millicores -= step * worker.millicores;
  free.memoryBytes -= BigInt(step) * worker.memoryBytes;
  free.deviceIds = free.deviceIds.filter((id) => !chosen.includes(id));
  for (const id of chosen.filter((one) => free.left[one])) {
    const { takes } = worker.choices.find(({ deviceIds }) => deviceIds.includes(id))!;
    const parts = Object.entries(takes);
    if (parts.length === 0) delete free.left[id]; // a slot has it whole
    for (const [name, amount] of parts) free.left[id]!.capacities[name]! -= amount;
  }
  for (const other of Object.values(now.free).filter(({ host }) => host === free.host)) {
    other.idle = false;
    if (group.request?.exclusive && other !== free) other.slots = 0;
  }
}

/** What a group waits for: what the coordinator says of its fit, where that is all. */
function why(now: Snapshot, { groupId, fit }: TaskGroup): Waiting {
  const told = (code: string, text: string, kind = WaitingKind.LATER) =>
    create(WaitingSchema, { groupId, kind, code, text });
  const waiting = now.fits[fit]?.waiting;
  return waiting ? told(waiting.code, waiting.text, waiting.kind) : told("queue", "it has not come to its turn");
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
        describe: () => ({
          name: "spread",
          version: "3",
          snapshotsOnly: true,
          wantsFits: true,
          abilities: ["gangs", "portions"],
        }),
        schedule,
      }),
  }),
);
server.listen(Number(port), host, () => console.log(`serving ${host}:${(server.address() as AddressInfo).port}`));
