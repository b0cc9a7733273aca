"""The window between what happened and what is committed, driven by any order of events."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from crossfleet.worker.core.link import Link
from crossfleet.worker.core.records import Kind, Outgoing
from crossfleet.worker.core.window import Window


@dataclass
class Committed:
    """A coordinator that commits in order and may forget to say so."""

    sequence: int = 0
    records: list[tuple[int, object]] = field(default_factory=list)

    def take(self, message: Outgoing) -> None:
        assert message.sequence <= self.sequence + 1, "a gap"
        if message.sequence != self.sequence + 1:
            return
        self.sequence = message.sequence
        parts = message.parts if message.kind is Kind.RESULTS else [message.payload]
        self.records.extend((message.attempt, part) for part in parts)


class Sessions(RuleBasedStateMachine):
    """Records go through lost sessions and lost acknowledgements; each must be committed once, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.link = Link(Window(most_cases=50))
        self.coordinator = Committed()
        self.recorded: list[tuple[int, object]] = []
        self.journal = 0
        self.cut = 0
        self.flight: list[Outgoing] = []

    @rule(attempt=st.integers(1, 4))
    def result(self, attempt: int) -> None:
        self.journal += 1
        self.recorded.append((attempt, self.journal))
        self.link.result(attempt, self.journal, shim_sequence=self.journal)

    @rule(attempt=st.integers(1, 4))
    def finished(self, attempt: int) -> None:
        self.journal += 1
        self.recorded.append((attempt, self.journal))
        self.link.finished(attempt, self.journal, shim_sequence=self.journal)

    @rule()
    def connect(self) -> None:
        self.flight = []
        self._cut(self.link.welcomed(self.coordinator.sequence, [], []).cut_journal)

    @rule()
    def send(self) -> None:
        if self.link.connected:
            self.flight += [message for message in self.link.window.take() if message.journalled]

    @rule(count=st.integers(0, 10))
    def arrive(self, count: int) -> None:
        for message in self.flight[:count]:
            self.coordinator.take(message)
        del self.flight[:count]

    @rule()
    def acknowledge(self) -> None:
        if self.link.connected:
            self._cut(self.link.acknowledged(self.coordinator.sequence))

    @rule()
    def lose(self) -> None:
        self.link.lost()
        self.flight = []

    @invariant()
    def nothing_is_cut_from_the_journal_before_it_is_committed(self) -> None:
        committed = {record for _, record in self.coordinator.records}
        assert all(record in committed for record in range(1, self.cut + 1))

    @invariant()
    def each_attempt_is_committed_in_order_and_once(self) -> None:
        for attempt in range(1, 5):
            recorded = [record for owner, record in self.recorded if owner == attempt]
            committed = [record for owner, record in self.coordinator.records if owner == attempt]
            assert committed == recorded[: len(committed)]

    def teardown(self) -> None:
        self.connect()
        self.send()
        self.arrive(len(self.flight))
        self.acknowledge()
        assert sorted(self.coordinator.records) == sorted(self.recorded)
        assert self.link.window.unacknowledged == 0
        assert self.cut == self.journal

    def _cut(self, sequence: int) -> None:
        self.cut = max(self.cut, sequence)


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_window_asks_its_sources_to_pause_and_lets_them_go_on_after_the_acknowledgement() -> None:
    window = Window(most_cases=3)
    window.begin(0)
    for case in range(3):
        window.result(1, case)
    full = window.full
    window.take()
    window.acknowledge(1)
    assert (full, window.full) == (True, False)


def test_many_bytes_fill_a_window_as_well() -> None:
    window = Window(most_bytes=1000)
    window.result(1, "x", size=1000)
    assert window.full


def test_results_of_one_attempt_go_together_and_those_of_two_apart() -> None:
    window = Window()
    window.begin(0)
    for case in range(4):
        window.result(1 + case % 2, case)
    assert [(message.attempt, message.parts) for message in window.take()] == [(1, [0, 2]), (2, [1, 3])]


def test_after_a_new_shim_only_what_the_agent_made_itself_is_sent_again() -> None:
    window = Window()
    window.begin(0)
    window.result(1, "from the shim", shim_sequence=1)
    window.result(2, "from the agent")
    window.take()
    window.renumber()
    window.begin(0)
    assert [(message.sequence, message.parts) for message in window.take()] == [(1, ["from the agent"])]


def test_what_only_informs_is_not_kept_without_a_session() -> None:
    link = Link()
    link.say("lost")
    link.welcomed(0, [], [])
    assert link.window.idle
