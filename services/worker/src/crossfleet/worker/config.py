"""The worker's settings."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from crossfleet.foundation.config import setting
from crossfleet.foundation.serve import ServerSettings


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `python -m crossfleet.worker` can be told, by flags, by CROSSFLEET_WORKER_... or by a file."""

    coordinator: Annotated[
        str,
        setting(
            "Where coordinators listen: unix:/PATH or HOST:PORT, commas between them. The leader is found from any."
        ),
    ] = ""
    coordinator_authority: Annotated[
        str, setting("PEM file of the authority that signed the coordinator's certificate. TLS is used when it is set.")
    ] = ""
    coordinator_certificate: Annotated[str, setting("PEM file of the certificate to show to the coordinator.")] = ""
    coordinator_key: Annotated[str, setting("PEM file of that certificate's private key.")] = ""
    coordinator_insecure: Annotated[
        bool, setting("Send the token to another machine without TLS. Anyone on the path reads it.")
    ] = False
    name: Annotated[str, setting("Name of this worker, unique in the fleet. Empty: the host's name.")] = ""
    slots: Annotated[int, setting("Runners that may execute at the same time. 0: one for each CPU core.", ge=0)] = 0
    cpu_cores: Annotated[float, setting("CPU cores that the slots share. 0: all that this process may use.", ge=0)] = 0
    memory: Annotated[int, setting("Memory that the slots share, in bytes. 0: all of the host.", ge=0)] = 0
    label: Annotated[tuple[str, ...], setting("KEY=VALUE, for selectors. May repeat.")] = ()
    taint: Annotated[tuple[str, ...], setting("Keeps work away that does not tolerate it. May repeat.")] = ()
    share: Annotated[
        tuple[str, ...],
        setting("Class or id of devices of which several slots may hold portions at once, such as `gpu`. May repeat."),
    ] = ()
    state: Annotated[
        str, setting("Folder of this worker's state: shim, journal, allocations. Empty: in the user's state folder.")
    ] = ""
    cache: Annotated[
        str,
        setting("Folder of what workers of one host share: environments and files. Empty: the user's cache folder."),
    ] = ""
    cache_days: Annotated[
        float, setting("Files and environments of the cache go when unused for so many days. 0: never.", ge=0)
    ] = 14.0
    cache_bytes: Annotated[
        int, setting("The longest unused of the cache goes over this size, but nothing of a day. 0: no limit.", ge=0)
    ] = 0
    embedded: Annotated[
        bool, setting("Part of a fleet on one machine: runs folders in place and local interpreters.")
    ] = False
    python: Annotated[str, setting("Interpreter of suites that bring no environment. Empty: the worker's own.")] = ""
    pass_through: Annotated[
        tuple[str, ...], setting("Further variables of the worker's environment that suites get. May repeat.")
    ] = ()
    collect_seconds: Annotated[float, setting("Time limit of one collection, in seconds. 0: none.", ge=0)] = 900.0
    spares: Annotated[
        int,
        setting(
            "Interpreters, some 25 MB each, that wait ten minutes for a run like the last, to begin it sooner.", ge=0
        ),
    ] = 2
    build_seconds: Annotated[float, setting("Time limit of building one environment, in seconds.", ge=1)] = 1800.0
    idle_exit_seconds: Annotated[
        float, setting("Leave after having held nothing for so long, in seconds. 0: never.", ge=0)
    ] = 0.0
    grace_seconds: Annotated[
        float, setting("Time that a case has between its interrupt and its kill, in seconds.", ge=0)
    ] = 5.0
    orphan_seconds: Annotated[float, setting("How long running tests go on without an agent, in seconds.", ge=1)] = 60.0
    output_bytes: Annotated[int, setting("The longest captured section of a case that is kept, in bytes.", ge=1024)] = (
        64 * 1024
    )
    artifact_bytes: Annotated[int, setting("The longest artifact that is kept, in bytes.", ge=0)] = 2**30
    late_artifact_bytes: Annotated[
        int, setting("Artifacts that wait for their store: the oldest go over this size, in bytes.", ge=0)
    ] = 4 * 2**30
    late_artifact_days: Annotated[
        float, setting("Artifacts that wait for their store go after so many days.", ge=0)
    ] = 7.0
    detector_seconds: Annotated[float, setting("Time limit of each device detector, in seconds.", ge=0.1)] = 20.0
    detector_every_seconds: Annotated[
        float, setting("How often devices other than processors are looked for again, in seconds. 0: once.", ge=0)
    ] = 60.0
    detector_stale_seconds: Annotated[
        float,
        setting("Devices whose detector has given no answer for so long are in the condition `stale`.", ge=1),
    ] = 300.0
    host_root: Annotated[
        str,
        setting(
            "Folder that holds the host's own /proc and /sys, for gates. A worker in a container may have them elsewhere."
        ),
    ] = "/"
    repair: Annotated[
        tuple[str, ...],
        setting("Command that mends this host when its test fails: program, then each argument. No shell. May repeat."),
    ] = ()
    repair_seconds: Annotated[float, setting("Time limit of that command, in seconds.", ge=1, le=600)] = 300.0
    log_format: Annotated[Literal["json", "console"], setting("Format of the log on stderr.")] = "json"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], setting("The least level that is logged.")] = (
        "info"
    )
    server: ServerSettings = ServerSettings()
