"""The window of journalled messages between what happened here and what the coordinator has committed."""

from __future__ import annotations

from collections import deque

from crossfleet.worker.core.records import Kind, Outgoing

MOST_CASES = 4096
MOST_BYTES = 32 * 1024 * 1024
_MESSAGE_CASES = 512
_MESSAGE_BYTES = 512 * 1024


class Window:
    """Numbers outgoing messages, groups results by attempt, and keeps what is not acknowledged.

    The shim's journal is the durable copy; this one lives in memory and is bounded by `full`. Numbers are given when
    a message is first taken, after `begin` said where to start: a restarted agent goes on behind what the coordinator
    has committed of its predecessor, so that no old acknowledgement can cover a new message.
    """

    def __init__(self, *, most_cases: int = MOST_CASES, most_bytes: int = MOST_BYTES) -> None:
        """Keep at most about `most_cases` results and `most_bytes` before `full` asks the sources to pause."""
        self._most_cases = most_cases
        self._most_bytes = most_bytes
        self._waiting: list[Outgoing] = []
        self._open: dict[int, Outgoing] = {}
        self._kept: deque[Outgoing] = deque()
        self._resend: list[Outgoing] = []
        self._next = 0
        self._acknowledged = 0
        self._cases = 0
        self._bytes = 0
        self._shim_high = 0

    @property
    def full(self) -> bool:
        """Whether sources should pause until something is acknowledged."""
        return self._cases >= self._most_cases or self._bytes >= self._most_bytes

    @property
    def unacknowledged(self) -> int:
        """Journalled messages that the coordinator has not confirmed."""
        return len(self._kept) + sum(1 for message in self._waiting if message.journalled)

    @property
    def first_unacknowledged(self) -> int:
        """The number of the first of them; zero while numbering has not begun."""
        return self._acknowledged + 1 if self._next else 0

    @property
    def idle(self) -> bool:
        """Whether `take` would answer nothing."""
        return not self._waiting and not self._resend

    def seen(self, shim_sequence: int) -> bool:
        """Whether a record of the shim's journal was added before (a shim sends again to each new attacher)."""
        return shim_sequence <= self._shim_high

    def result(self, attempt: int, part: object, *, shim_sequence: int = 0, size: int = 0) -> None:
        """Add the result of one case of an attempt."""
        message = self._open.get(attempt)
        if message is None or len(message.parts) >= _MESSAGE_CASES or message.size + size > _MESSAGE_BYTES:
            message = Outgoing(Kind.RESULTS, attempt=attempt)
            self._open[attempt] = message
            self._waiting.append(message)
        message.parts.append(part)
        message.size += size
        self._cases += 1
        self._bytes += size
        self._note(message, shim_sequence)

    def finished(self, attempt: int, payload: object, *, shim_sequence: int = 0) -> None:
        """Add the end of an attempt."""
        self._open.pop(attempt, None)
        message = Outgoing(Kind.FINISHED, attempt=attempt, payload=payload)
        self._waiting.append(message)
        self._note(message, shim_sequence)

    def ended(self, allocation: str, payload: object, *, shim_sequence: int = 0) -> None:
        """Add the end of an allocation."""
        message = Outgoing(Kind.ENDED, allocation=allocation, payload=payload)
        self._waiting.append(message)
        self._note(message, shim_sequence)

    def say(self, payload: object, *, allocation: str = "") -> None:
        """Add a message that may be lost with the session."""
        self._waiting.append(Outgoing(Kind.SAYING, allocation=allocation, payload=payload))

    def begin(self, committed: int) -> tuple[int, list[Outgoing]]:
        """Start a session on a coordinator that has committed up to `committed`; answers as `acknowledge`.

        What it has not committed is sent again, in order. What could be lost with the last session was lost.
        """
        if not self._next:
            self._next = committed + 1
            self._acknowledged = committed
        confirmed = self.acknowledge(committed)
        self._waiting = [message for message in self._waiting if message.journalled]
        self._resend = list(self._kept)
        return confirmed

    def renumber(self) -> None:
        """Start numbers anew for a new incarnation.

        What came from the shim's journal is dropped: the new shim takes that journal over and sends it again.
        """
        left = [message for message in [*self._kept, *self._waiting] if message.journalled and not message.from_shim]
        for message in left:
            message.sequence = message.shim_sequence = 0
        self._waiting, self._resend = left, []
        self._kept.clear()
        self._open.clear()
        self._cases = sum(len(message.parts) for message in left)
        self._bytes = sum(message.size for message in left)
        self._next = self._acknowledged = self._shim_high = 0

    def take(self) -> list[Outgoing]:
        """Everything that is ready to be sent, numbered, oldest first. Call it within a session only."""
        batch, self._resend = self._resend, []
        last: Outgoing | None = None
        for message in self._waiting:
            if message.journalled:
                message.sequence = self._next
                self._next += 1
                self._kept.append(message)
                last = message
            batch.append(message)
        # Results are grouped by attempt, so only the last message of a batch has everything before it.
        if last is not None:
            last.shim_sequence = self._shim_high
        self._waiting = []
        self._open.clear()
        return batch

    def acknowledge(self, sequence: int) -> tuple[int, list[Outgoing]]:
        """Forget what is committed. Answers how far the shim's journal may be cut (zero: no further), and what went."""
        cut = 0
        gone: list[Outgoing] = []
        while self._kept and self._kept[0].sequence <= sequence:
            message = self._kept.popleft()
            cut = max(cut, message.shim_sequence)
            self._cases -= len(message.parts)
            self._bytes -= message.size
            self._acknowledged = message.sequence
            gone.append(message)
        return cut, gone

    def _note(self, message: Outgoing, shim_sequence: int) -> None:
        if shim_sequence:
            message.from_shim = True
            self._shim_high = max(self._shim_high, shim_sequence)
