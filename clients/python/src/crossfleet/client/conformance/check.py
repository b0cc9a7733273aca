"""What a check is: a sentence, the updates that are sent, and what is expected of the answers. Values only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import DescribeResponse
from crossfleet.api.types.v1.device_pb2 import Worker
from crossfleet.client.conformance.expecting import Expectation
from crossfleet.client.conformance.rows import Holding, Wish


class Level(StrEnum):
    """How bad it is where a check does not hold."""

    MUST = "must"
    """Runs are lost, wrong or stuck, or the coordinator refuses what is proposed."""
    SHOULD = "should"
    """Runs are slower, less fair or less understandable than they could be."""


class Form(StrEnum):
    """How an update is sent."""

    CHANGES = "changes"
    """A snapshot at the start of a stream and where the scheduler wants nothing else, otherwise a delta."""
    SNAPSHOT = "snapshot"
    DELTA = "delta"
    """A delta whatever the scheduler wants, also at the start of a stream."""
    BARE = "bare"
    """Neither snapshot nor delta: outcomes alone."""


class Answer(StrEnum):
    """What becomes of the proposals that come during a step."""

    COMMIT = "commit"
    """Committed where they hold, and told so at once."""
    REFUSE = "refuse"
    """Refused, whatever they are."""
    WITHHOLD = "withhold"
    """Not answered."""


@dataclass(frozen=True)
class Step:
    """One update, and what is expected before the next one.

    `gone` names workers, groups and allocations that are no more, or never were. `replace`: the rows are all that there is
    now. `refused`: workers on which proposals are refused. `lost`: the update is made and never sent. `unknown`: its
    messages have fields of later versions. `stray`: it holds an outcome of a plan that nobody made. `reopen`: on a new
    stream. `close`: nothing more is sent after it. `watch` is for how many seconds it is listened at least.
    """

    workers: tuple[Worker, ...] = ()
    groups: tuple[Wish, ...] = ()
    holdings: tuple[Holding, ...] = ()
    shares: tuple[tuple[str, float], ...] = ()
    gone: tuple[str, ...] = ()
    form: Form = Form.CHANGES
    answer: Answer = Answer.COMMIT
    expect: tuple[Expectation, ...] = ()
    refused: frozenset[str] = frozenset()
    replace: bool = False
    lost: bool = False
    unknown: bool = False
    stray: bool = False
    reopen: bool = False
    close: bool = False
    watch: float = 0.0


@dataclass(frozen=True)
class Description:
    """What Describe answered: twice, and once more while a stream was open; and how long the first took, in seconds."""

    first: DescribeResponse
    again: DescribeResponse
    streaming: DescribeResponse
    seconds: float


@dataclass(frozen=True)
class Check:
    """One named check.

    `name` is FAMILY.WORD, `sentence` what a scheduler does that passes, `why` what goes wrong where it does not.
    `needs`: `deltas` or an ability, without which the check does not apply. Either `steps` are played or `describes`
    judges what Describe answered: empty text where all is well.
    """

    name: str
    sentence: str
    why: str
    level: Level = Level.MUST
    needs: frozenset[str] = frozenset()
    steps: tuple[Step, ...] = ()
    describes: Callable[[Description], str] | None = field(default=None, compare=False)
    first_revision: int = 1

    @property
    def family(self) -> str:
        """The part of the name before the dot."""
        return self.name.partition(".")[0]
