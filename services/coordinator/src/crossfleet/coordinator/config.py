"""Settings of the coordinator."""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Literal

import msgspec

from crossfleet.coordinator.retention.policy import RetentionSettings
from crossfleet.foundation.config import setting
from crossfleet.foundation.errors import InvalidArgument
from crossfleet.foundation.etcd.settings import EtcdSettings
from crossfleet.foundation.serve import ServerSettings


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an operator may set. Times in seconds, sizes in bytes."""

    data: Annotated[str, setting("Data folder: ledger, blobs, logs. Needed. Not on a network file system.")] = ""
    database: Annotated[
        str,
        setting(
            "Ledger that several coordinators share: postgresql+psycopg://USER@HOST/NAME. Empty: a file in `data`."
        ),
    ] = ""
    database_password_file: Annotated[
        str, setting("File with the password of the database in its first line; read for each connection.")
    ] = ""
    database_wait_seconds: Annotated[
        float, setting("How long a command may wait for a database that does not answer.", ge=0.1, le=3600)
    ] = 10.0
    database_start_seconds: Annotated[
        float, setting("How long to wait at the start for a database that is away.", ge=0, le=86_400)
    ] = 60.0
    advertise: Annotated[
        str, setting("Address under which others reach this coordinator. Empty: the first that it serves.")
    ] = ""
    scheduler: Annotated[str, setting("Address of the scheduler. Empty: nothing is placed.")] = ""
    scheduler_token_file: Annotated[str, setting("File with the token for a scheduler on TCP.")] = ""
    scheduler_authority: Annotated[
        str, setting("PEM file of the authority that signed the certificate of a scheduler on TLS.")
    ] = ""
    schedulers: Annotated[
        tuple[str, ...],
        setting(
            "Another scheduler, as 'NAME=ADDRESS [pools=A+B] [canary=PERCENT] [deadline=SECONDS] [token-file=FILE]"
            " [authority=FILE]'; repeatable. `scheduler` stands in where it is out."
        ),
    ] = ()
    embedded: Annotated[bool, setting("All services run on this machine, so local paths may be named.")] = False
    awaits: Annotated[
        tuple[str, ...],
        setting(
            "Name of a worker of before that may come back; repeatable. The others have ended, and are not waited for."
            " Empty: all may come back."
        ),
    ] = ()
    etcd: EtcdSettings = EtcdSettings()
    election: Annotated[
        str, setting("Name of the election: coordinators of one database share it.", pattern=r"^[A-Za-z0-9._-]+$")
    ] = "default"
    leader_lease_seconds: Annotated[
        float, setting("How long a silent leader keeps others from leading; whole seconds count.", ge=1, le=3600)
    ] = 10.0
    lease_seconds: Annotated[float, setting("How long a silent worker keeps its attempts.", ge=0.2, le=3600)] = 15.0
    queue_commands: Annotated[int, setting("Most commands that wait for a commit.", ge=16)] = 20_000
    watcher_events: Annotated[int, setting("Most events that wait for one watcher; then it is let go.", ge=16)] = 20_000
    disk_full_seconds: Annotated[
        float, setting("How long the ledger's disk may be full before those who watch are told.", ge=0.1, le=3600)
    ] = 20.0
    event_commits: Annotated[
        int, setting("Of how many commits events are kept for watchers who come back; those of open runs stay.", ge=1)
    ] = 1_000_000
    artifacts: Annotated[
        str, setting("Where artifacts lie: file:///FOLDER or s3://BUCKET/PREFIX. Empty: in the data folder.")
    ] = ""
    artifacts_credentials_file: Annotated[
        str, setting("Credentials for S3, in the form of AWS's shared credentials. Empty: AWS_ variables.")
    ] = ""
    retention: RetentionSettings = RetentionSettings()
    blob_bytes: Annotated[int, setting("Largest blob.", ge=1)] = 8 << 30
    slot_log_bytes: Annotated[int, setting("Most output kept of one slot of a run.", ge=1024)] = 16 << 20
    unconnected_notice_seconds: Annotated[
        float, setting("How long the scheduler may be away before runs are told that they wait for it.", ge=0)
    ] = 1.0
    project_weights: Annotated[
        str, setting("Weights of projects that want the same, such as `search=3,ads=0.5`; the others have 1.")
    ] = ""
    share_half_life_seconds: Annotated[
        float, setting("After which time what a project held counts half for its share.", ge=1)
    ] = 86_400.0
    quarantine_share: Annotated[
        float,
        setting(
            "Share of a pool (workers of one label `pool`, or without it) that may be quarantined at once; one host at"
            " least, and never the last. 0: nobody is quarantined but by hand.",
            ge=0,
            le=1,
        ),
    ] = 1 / 3
    quarantine_failures: Annotated[
        float, setting("Recent failures of infrastructure after which a host is quarantined.", ge=1)
    ] = 3.0
    quarantine_memory_seconds: Annotated[float, setting("After how long such a failure counts half.", ge=1)] = 600.0
    quarantine_rounds: Annotated[
        int, setting("How often it is tried to bring a host back before a person must say so.", ge=1)
    ] = 3
    quarantine_rest_seconds: Annotated[
        float, setting("Pause after the first round that failed; it doubles with each.", ge=0.1)
    ] = 60.0
    log_format: Annotated[Literal["json", "console"], setting("Form of the log on standard error.")] = "json"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], setting("Least level that is logged.")] = "info"
    uvloop: Annotated[bool, setting("Run on uvloop.")] = True
    server: ServerSettings = ServerSettings()


def weights(text: str) -> dict[str, float]:
    """The weights of `project_weights`, by project. Raises InvalidArgument that names what is wrong."""
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        project, _, value = part.rpartition("=")
        try:
            found[project] = float(value)
        except ValueError:
            found[project] = 0.0
        if not project or not isfinite(found[project]) or found[project] <= 0:
            raise InvalidArgument(f"project_weights: {part!r} is not PROJECT=WEIGHT with a weight above 0")
    return found
