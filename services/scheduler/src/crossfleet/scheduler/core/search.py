"""The best worker for some slots, found without looking at more of the fleet than has to be."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from crossfleet.scheduler.core.fillings import Aspect, Filling, Kind


class Search:
    """Best is who has room for ``most`` slots, or else the most room; then who is wanted by fewer, is fuller, comes first.

    Kinds must come in the order of their rivals. ``short`` is what the best one lacks of ``most``.
    """

    __slots__ = ("_banned", "_least", "_most", "_rivals", "_slots", "name", "room", "short")

    def __init__(self, least: int, most: int, banned: AbstractSet[str]) -> None:
        """Nobody found who has room for ``least`` slots."""
        self.name: str | None = None
        self.room = 0
        self.short = 0
        self._rivals = 0
        self._slots = 0
        self._least = least
        self._most = most
        self._banned = banned

    def done(self, rivals: int) -> bool:
        """Whether kinds with so many rivals have nothing better: somebody with fewer has room for all."""
        return self.name is not None and rivals > self._rivals

    def full(self, kind: Kind, aspect: Aspect) -> None:
        """Look for room for ``most`` slots: at the fullest first, and not at what is emptier than the best."""
        most = self._most
        for slots in range(most, len(kind.open)):
            if self.name is not None and slots > self._slots:
                return
            for filling in kind.open[slots]:
                room = filling.rooms.get(aspect, -1)
                if room < 0:
                    room = filling.room(aspect)
                if room >= most:
                    self._offer(filling, kind.rivals, room, 0)

    def partial(self, kind: Kind, aspect: Aspect) -> bool:
        """Look for the most room below ``most``. Answers whether any worker of the kind has room at all."""
        most, least, some = self._most, self._least, False
        for fillings in kind.open[1:]:
            for filling in fillings:
                room = filling.rooms.get(aspect, -1)
                if room < 0:
                    room = filling.room(aspect)
                some = some or room > 0
                if least <= room < most and (self.name is None or most - room <= self.short):
                    self._offer(filling, kind.rivals, room, most - room)
        return some

    def _offer(self, filling: Filling, rivals: int, room: int, short: int) -> None:
        slots = filling.free.slots
        if self.name is not None and (short, rivals, slots) > (self.short, self._rivals, self._slots):
            return
        name = next((one for one in filling.members if one not in self._banned), None)
        if name is None or (
            self.name is not None and (short, rivals, slots, name) > (self.short, self._rivals, self._slots, self.name)
        ):
            return
        self.name, self.room, self.short, self._rivals, self._slots = name, room, short, rivals, slots
