"""What is done about the end of the zygote's session, beside what its plugins do."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Set

from . import measuring, snapshots
from .channel import Channel
from .once import OncePerHost

_NO_TESTS = 5


class Finish:
    """Of one session: what was measured is kept, what was made for this host is ended, a failure of its own is told."""

    def __init__(self, channel: Channel, once: OncePerHost) -> None:
        self._channel = channel
        self._once = once
        self._measuring: Optional[measuring.Measuring] = None
        self._complete = False
        self._passes = False

    def expect(self, config: Any, items: Sequence[Any]) -> None:
        """Before slots are forked."""
        self._measuring = measuring.Measuring(config)
        self._once.expect(items)

    def prepare(self, session: Any, items: Sequence[Any], ran: Set[str]) -> None:
        """The session knows all that its slots did; its plugins have not ended it yet. ``ran`` are ids of cases."""
        self._complete = all(item.nodeid in ran for item in items)
        self._passes = not session.testsfailed
        snapshots.settle(session.config, self._complete)

    def conclude(self, session: Any) -> None:
        """The session's plugins have ended it: tell when it fails although none of its cases did."""
        snapshots.tidy(session.config, self._complete)
        self._once.conclude()
        if self._measuring is not None:
            self._measuring.keep()
        self._tell(int(session.exitstatus), "")

    def broke(self, error: BaseException) -> None:
        """Something that is called at the end raised ``error``, with which plain pytest's process would end."""
        status: object = 1
        if isinstance(error, SystemExit):
            status = error.code or 0
        self._tell(status if isinstance(status, int) else 1, "{}: {}".format(type(error).__name__, error))

    def _tell(self, status: int, error: str) -> None:
        if self._passes and status not in (0, _NO_TESTS):
            self._channel.send({"op": "session", "status": status, "error": error})
