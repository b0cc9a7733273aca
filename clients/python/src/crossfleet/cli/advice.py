"""What a person can do about an error that a fleet answered."""

from __future__ import annotations

from crossfleet.foundation.errors import CrossfleetError

_HINTS = {
    "UNAVAILABLE": "Is the fleet up? `crossfleet doctor` looks; CROSSFLEET_ADDRESS names the fleet that is asked, "
    "CROSSFLEET_TLS_AUTHORITY the authority of one that serves TLS.",
    "UNAUTHENTICATED": "Set CROSSFLEET_TOKEN_FILE to the fleet's token (a fleet on TCP writes DIR/token).",
    "INSECURE_TRANSPORT": "Use TLS (CROSSFLEET_TLS_AUTHORITY), a Unix socket, or, where the network is trusted, set "
    "CROSSFLEET_INSECURE=1.",
    "LOCAL_PATH_REFUSED": "A fleet elsewhere cannot use paths of this machine: use --requirements instead of --python.",
    "TARGET_UNSATISFIABLE": "`crossfleet workers` shows what the fleet has; --wait waits for a worker that fits.",
    "QUOTA_EXCEEDED": "`crossfleet admin quota list` shows who may have what; --wait waits for a larger quota.",
    "RUN_NOT_FOUND": "`crossfleet runs` lists the runs of this fleet.",
    "WORKER_NOT_FOUND": "`crossfleet workers` lists the workers of this fleet.",
    "DEVICE_NOT_FOUND": "`crossfleet devices list` lists the devices of this fleet.",
    "SCHEDULE_NOT_FOUND": "`crossfleet schedule list` lists the schedules of this fleet.",
    "NO_LEADER": "No coordinator became the leader in time: their logs say why. `crossfleet doctor` asks each of them.",
    "NOT_LEADER": "The coordinators name leaders that do not lead: `crossfleet doctor` asks each of them.",
    "DISK_FULL": "`crossfleet clean` removes caches; `crossfleet clean --dry-run` says how much that frees.",
    "ARTIFACT_STORE_UNAVAILABLE": "Files cannot be kept or fetched until it is back; runs that need none go on.",
    "UNIMPLEMENTED": "The fleet may be older than this command: `crossfleet doctor` compares versions.",
    "DEADLINE_EXCEEDED": "The fleet did not answer in time: `crossfleet doctor` looks why.",
}

_UNTRUSTED = ("CERTIFICATE_VERIFY_FAILED", "is not in peer certificate")
_CERTIFICATE = (
    "Its certificate is of another authority than CROSSFLEET_TLS_AUTHORITY names, is over, or is for another host name."
)


def advise(error: CrossfleetError) -> str:
    """What to do about it, in a sentence; empty where that is not known."""
    if any(word in error.message for word in _UNTRUSTED):
        return _CERTIFICATE
    return _HINTS.get(error.reason, "")


def explain_error(error: CrossfleetError) -> str:
    """The message, where in a selector it is wrong, and what to do."""
    lines = [error.message]
    lines += [f"{each.path}: {each.description}" for each in error.fields if each.description not in error.message]
    selector, column = error.metadata.get("selector"), error.metadata.get("column", "")
    if selector and column.isdigit():
        lines += [f"    {selector}", "    " + " " * (int(column) - 1) + "^"]
    incident = error.metadata.get("incident")
    if incident:
        lines.append(f"The cause is in the service's log under incident {incident}.")
    hint = advise(error)
    if hint:
        lines.append(hint)
    return "\n".join(lines)
