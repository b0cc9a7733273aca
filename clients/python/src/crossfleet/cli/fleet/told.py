"""A service's end in words."""

from __future__ import annotations

from crossfleet.cli.fleet.listeners import Event


def told(event: Event) -> str:
    """What a `gave_up` event means, with the end of the service's log where that may help."""
    tail = str(event.get("tail", ""))
    if event.get("service") == "supervisor":
        return str(event.get("message"))
    message = f"the {event.get('service')} gave up: {event.get('message')}"
    if event.get("wrong_settings") or not tail:
        return message
    return f"{message}\n{tail}\nIts whole log is {event.get('log')}."
