"""A scheduler that takes deltas and serves first come, first served: `python scheduler.py HOST:PORT`.

It needs grpcio, crossfleet-protos, and crossfleet-matching, which says whether a request fits a worker as the coordinator does.
"""

import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from math import inf

import grpc

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as messages
from crossfleet.api.scheduler.v1 import scheduler_service_pb2_grpc as services
from crossfleet.matching.deadlines import counts_from
from crossfleet.matching.explain import explain
from crossfleet.matching.fit import fit
from crossfleet.matching.free import Fit, Free
from crossfleet.matching.messages import request_from, state_from, worker_from
from crossfleet.matching.misfit import Wait
from crossfleet.matching.model import Request
from crossfleet.matching.selectors import Selectors

# The coordinator pings every 20 s and sends up to 16 MiB: by themselves gRPC's servers bear 5 minutes and 4 MiB.
OPTIONS = (
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_receive_message_length", 16 * 2**20),
)
KINDS = {Wait.NEVER: messages.WAITING_KIND_NEVER, Wait.LATER: messages.WAITING_KIND_LATER}


class Fleet:
    """What is known on one stream: rows by id, and what was proposed and is not answered yet."""

    def __init__(self):
        self.revision = 0
        self.plans = 0
        self.selectors = Selectors()
        self.begin()
        self.proposed = {}  # plan id -> its proposals
        self.refused = set()  # (group id, worker id): tried last

    def begin(self):
        self.workers, self.groups, self.allocations, self.requests = {}, {}, {}, {}
        self.told = {}  # group id -> the reason that stands

    def take(self, update):
        """Take an update in; False where one is missing before it."""
        snapshot = update.WhichOneof("update") == "snapshot"
        if not snapshot and (update.revision != self.revision + 1 or not self.revision):
            return False
        self.revision = update.revision
        if snapshot:
            self.begin()
        rows = update.snapshot if snapshot else update.delta
        for one in rows.workers:
            self.workers[one.worker_id] = worker_from(one, state_from(one.state))
        for one in rows.groups:
            self.groups[one.group_id] = one
            self.requests[one.group_id] = request_from(one.request, one.selector, one.runner)
        for one in rows.allocations:
            if one.allocation_id not in self.allocations:
                self.told.pop(one.group_id, None)  # It got something: its reason is told again.
            self.allocations[one.allocation_id] = one
        if not snapshot:
            for known, gone in (
                (self.workers, rows.removed_worker_ids),
                (self.groups, rows.removed_group_ids),
                (self.allocations, rows.removed_allocation_ids),
                (self.told, rows.removed_group_ids),
            ):
                for name in gone:
                    known.pop(name, None)
            used = self.groups.keys() | {one.group_id for one in self.allocations.values()}
            self.requests = {name: request for name, request in self.requests.items() if name in used}
        self.selectors.learn(self.workers.values())
        for outcome in update.outcomes:
            proposals = self.proposed.pop(outcome.plan_id, ())
            for refusal in outcome.refused:
                if refusal.index < len(proposals):
                    self.refused.add((proposals[refusal.index].group_id, proposals[refusal.index].worker_id))
        self.refused = {pair for pair in self.refused if pair[0] in self.groups and pair[1] in self.workers}
        return True

    def plan(self):
        """What is proposed now, and why others wait."""
        held = [*self.allocations.values(), *(one for each in self.proposed.values() for one in each)]
        free = {name: Free.whole(worker) for name, worker in self.workers.items()}
        slots, pending = defaultdict(int), defaultdict(int)
        for one in held:
            slots[one.group_id] += one.slots
            self.use(free, one)
        for proposals in self.proposed.values():
            for one in proposals:
                pending[one.group_id] += one.slots
        self.plans += 1
        plan = messages.ScheduleResponse(plan_id=f"plan-{self.plans}", base_revision=self.revision)
        for group in sorted(self.groups.values(), key=order):
            wanted = group.wanted_slots - pending[group.group_id]
            if wanted > 0 and group.request.gang <= 1:
                wanted = self.place(plan, free, group, wanted, slots[group.group_id])
            if wanted > 0:
                self.tell(plan, group)
        if plan.allocate:
            self.proposed[plan.plan_id] = list(plan.allocate)
        return plan

    def place(self, plan, free, group, wanted, held):
        """Give a group what is free, the largest pieces first; answers what it still wants."""
        request = self.requests[group.group_id]
        refused = {worker for name, worker in self.refused if name == group.group_id}
        last = refused | set(group.avoid_worker_ids)
        for name in sorted(free, key=lambda one: (one in last, -free[one].slots, one)):
            if wanted <= 0:
                break
            if free[name].slots <= 0:
                continue
            least = min(max(request.slots_min - held, 1), wanted)
            host = self.workers[name].host
            others = [free[one] for one in free if host and self.workers[one].host == host and one != name]
            left = free[name].beside(others) if others else free[name]
            found = fit(request, self.workers[name], left, self.selectors, least=least, most=wanted)
            if isinstance(found, Fit):
                proposal = plan.allocate.add(
                    group_id=group.group_id, worker_id=name, slots=found.slots, device_ids=found.device_ids
                )
                self.use(free, proposal)
                wanted, held = wanted - found.slots, held + found.slots
        return wanted

    def use(self, free, one):
        """Take an allocation or a proposal off what is free."""
        if one.worker_id in free:
            request = self.requests.get(one.group_id, Request())
            worker = self.workers[one.worker_id]
            free[one.worker_id] = free[one.worker_id].minus(request, one.slots, tuple(one.device_ids), worker)

    def tell(self, plan, group):
        """Say why a group waits, where that is new."""
        if not self.workers:
            reason = (messages.WAITING_KIND_LATER, "no_workers", "the fleet has no workers yet")
        elif group.request.gang > 1:
            reason = (messages.WAITING_KIND_LATER, "gang", "this scheduler does not place gangs")
        else:
            found = explain(self.requests[group.group_id], list(self.workers.values()), self.selectors)
            reason = (KINDS[found.wait], str(found.code), found.text)
        if self.told.get(group.group_id) != reason:
            self.told[group.group_id] = reason
            plan.waiting.add(group_id=group.group_id, kind=reason[0], code=reason[1], text=reason[2])


def order(group):
    """Whose turn it is: a deadline of today counts for more than age."""
    since = counts_from(group.submitted_unix_seconds, group.deadline_unix_seconds or inf)
    return (-group.priority, since, group.group_id)


class FirstComeFirstServed(services.SchedulerServiceServicer):
    def Describe(self, request, context):
        return messages.DescribeResponse(name="first-come-first-served", version="1")

    def Schedule(self, updates, context):
        fleet, asked = Fleet(), False
        for update in updates:
            if update.WhichOneof("update") is None and not update.outcomes:
                fleet.revision = update.revision
            elif fleet.take(update):
                asked = False
                plan = fleet.plan()
                if plan.allocate or plan.waiting:
                    yield plan
            elif not asked:
                asked = True
                yield messages.ScheduleResponse(base_revision=fleet.revision, request_snapshot=True)


def main(address):
    server = grpc.server(ThreadPoolExecutor(8), options=OPTIONS)
    services.add_SchedulerServiceServicer_to_server(FirstComeFirstServed(), server)
    port = server.add_insecure_port(address)
    server.start()
    print(f"serving {address.rpartition(':')[0]}:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7401")
