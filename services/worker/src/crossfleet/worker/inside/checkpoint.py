"""Tells a case that executes that its slot is given to more urgent work soon."""

from __future__ import annotations

import contextlib
import signal
import sys
import traceback
from typing import Any, Callable

CHECKPOINT_SIGNAL = int(signal.SIGRTMAX)
"""Says that the shim has written something that the case in flight should hear. No suite uses this one."""


class Hooks:
    """What suites may implement."""

    def pytest_crossfleet_checkpoint(self, item: Any, seconds: float) -> None:
        """``item`` executes, and is ended in ``seconds`` if it has not by then; it is executed again from its beginning.

        Called in the main thread, in the middle of the case. With ``pytest.exit()`` it ends the case at once; what else it raises is
        written to the log of the run.
        """


class Checkpoint:
    """The case in flight, and whether it was told. ``hear`` takes in what the shim has written."""

    def __init__(self, hear: Callable[[], None]) -> None:
        """Heed the signal from now on."""
        self.told = False
        self._missed = False
        self._item: Any = None
        self._hear = hear
        signal.signal(CHECKPOINT_SIGNAL, self._signalled)

    def begin(self, item: Any) -> None:
        """A case is in flight."""
        self._item = item
        if self._missed:
            self._missed = False
            self._hear()

    def end(self) -> None:
        """None is: the signal must find nobody who reads from the shim at that moment."""
        self._item = None

    def tell(self, seconds: float) -> bool:
        """Call the hook, for the case in flight. False: none is."""
        import pytest

        if self._item is None or self.told:
            return self._item is not None
        self.told = True
        try:
            self._item.ihook.pytest_crossfleet_checkpoint(item=self._item, seconds=seconds)
        except (KeyboardInterrupt, pytest.exit.Exception):
            raise
        except BaseException:
            self._complain()
        return True

    def _complain(self) -> None:
        """Say so past the capture: what a case printed that is ended is not kept."""
        capture = self._item.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else contextlib.nullcontext():
            # In one piece: the case may be cancelled at any moment.
            sys.stderr.write(
                "crossfleet: pytest_crossfleet_checkpoint of {}:\n{}".format(self._item.nodeid, traceback.format_exc())
            )

    def _signalled(self, number: int, frame: Any) -> None:
        if self._item is None:
            self._missed = True
        else:
            self._hear()
