"""Whether a host is as quiet as the gates of a target ask. Decides by readings of its gauges alone."""

from __future__ import annotations

from collections.abc import Sequence

from crossfleet.worker.shim.host import Message

Reading = Message
"""What the gauges told at one time, see gauges/host.py."""
Measures = dict[str, float]
"""Values by gate, and two more: `clock_allowed`, and `throttles`, how often heat slowed a processor down."""

WINDOW_SECONDS = 0.5
"""The kernel counts processor time in hundredths of seconds: over less than this they tell nothing."""
NOISY = "noisy"
"""The property of a result that stands although a gate was broken: which, by what."""
_AT_LEAST = frozenset({"clock"})
_UNITS = {"temperature": " °C", "load": " cores of others"}


class Gates:
    """What an order asks for: ``limits`` by gate, seconds to ``wait``, how often to repeat a case, the GPUs held."""

    def __init__(self, order: Message) -> None:
        self.limits: dict[str, float] = {name: float(value) for name, value in order["limits"].items()}
        self.wait = float(order["wait"])
        self.repeats = int(order["repeats"])
        self.held = frozenset(str(device) for device in order.get("devices") or ())

    def measured(self, readings: Sequence[Reading], *, running: bool) -> Measures:
        """What readings tell of the time from the first to the last; ``running``: a case was executed meanwhile.

        How highly a processor is clocked is of interest while it works: the first reading, and one of an idle host, say
        nothing of that.
        """
        first, last = readings[0], readings[-1]
        seconds = max(last["at"] - first["at"], 1e-6)
        found: Measures = {}
        if "busy" in first and "busy" in last:
            found["load"] = max(0.0, last["busy"] - first["busy"] - (last["own"] - first["own"])) / seconds
        if "pressed" in first and "pressed" in last:
            found["pressure"] = (last["pressed"] - first["pressed"]) / seconds
        if "throttles" in first and "throttles" in last:
            found["throttles"] = last["throttles"] - first["throttles"]
        heat = [one["temperature"] for one in readings if "temperature" in one]
        heat += [one[1] for one in self._gpus(readings, held=True) if one[1] is not None]
        if heat:
            found["temperature"] = max(heat)
        use = [one[0] for one in self._gpus(readings, held=False) if one[0] is not None]
        if use or "gpus" in last:
            found["gpu"] = max(use, default=0.0)
        clocks = [one["clock"] for one in readings[1:] if "clock" in one]
        if running and clocks:
            found["clock"] = min(clocks)
        elif not running and "clock_allowed" in last:
            found["clock"] = last["clock_allowed"]
        return found

    def broken(self, measures: Measures, *, running: bool) -> str:
        """Which gates are not open, with value and limit; empty where all are."""
        found = []
        for name, limit in self.limits.items():
            value = measures.get(name)
            if value is None:
                found.append(f"{name} cannot be measured")
            elif name in _AT_LEAST and value < limit:
                found.append(f"{name} {value:.3g}, less than {limit:g}")
            elif name not in _AT_LEAST and value > limit:
                found.append(f"{name} {value:.3g}{_UNITS.get(name, '')}, more than {limit:g}")
        if running and "temperature" in self.limits and measures.get("throttles"):
            found.append(f"temperature: heat slowed processors down {measures['throttles']:g} times")
        return "; ".join(found)

    def _gpus(self, readings: Sequence[Reading], *, held: bool) -> list[Sequence[float | None]]:
        every = (item for one in readings for item in one.get("gpus", {}).items())
        return [values for device, values in every if (device in self.held) is held]


def recent(readings: Sequence[Reading]) -> list[Reading]:
    """Of readings in their order those of about the last window: the span that is judged before a case begins."""
    now = readings[-1]["at"]
    young = [one for one in readings if one["at"] > now - WINDOW_SECONDS]
    older = [one for one in readings if now - 2 * WINDOW_SECONDS < one["at"] <= now - WINDOW_SECONDS]
    return [*older[-1:], *young]


def told_beside(result: Message, properties: list[list[str]]) -> Message:
    """A result with further properties; one that is noisy says so first."""
    noise = next((value for name, value in properties if name == NOISY), "")
    found = {**result, "properties": [*properties, *(result.get("properties") or ())]}
    if noise:
        found["message"] = "; ".join(text for text in (f"{NOISY}: {noise}", result.get("message")) if text)
    return found


def properties(before: Measures, meanwhile: Measures, noise: str, repeats: int) -> list[list[str]]:
    """What is told of a case beside its result: what was measured before it and while it executed, and what broke a gate."""
    found = []
    for name in sorted({*before, *meanwhile}):
        for suffix, measures in (("_before", before), ("", meanwhile)):
            if name in measures:
                found.append([f"host_{name}{suffix}", f"{measures[name]:.4g}"])
    if repeats:
        found.append(["host_repeats", str(repeats)])
    if noise:
        found.append([NOISY, noise])
    return found
