"""The settings of the bridge."""

from typing import Annotated, Literal

import msgspec

from crossfleet.foundation.config import setting
from crossfleet.foundation.serve import ServerSettings


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Defaults < TOML file < CROSSFLEET_SLURM_... < flags."""

    scheduler: Annotated[
        str, setting("Where the scheduler listens that places work on what is there: unix:/PATH or HOST:PORT.")
    ] = ""
    scheduler_token_file: Annotated[str, setting("File with that scheduler's token.")] = ""
    scheduler_authority: Annotated[str, setting("PEM file of the authority of its certificate. Empty: no TLS.")] = ""
    coordinator: Annotated[
        str, setting("Where pilots find the coordinators: HOST:PORT as the nodes see them, commas between them.")
    ] = ""
    coordinator_authority: Annotated[
        str, setting("PEM file of the authority of the coordinators' certificates, as the nodes see it.")
    ] = ""
    coordinator_insecure: Annotated[
        bool, setting("Let pilots send the token without TLS. Anyone on the path reads it.")
    ] = False
    worker_token_file: Annotated[
        str, setting("File with the fleet's token as the nodes see it: absolute, mode 0600, of the user of the jobs.")
    ] = ""
    worker: Annotated[
        tuple[str, ...],
        setting(
            "Command of the worker on the nodes: program, then each argument. Empty: as here. No shell. May repeat."
        ),
    ] = ()
    pools: Annotated[str, setting("TOML file, one table a kind of nodes. Empty: the default partition as it is.")] = ""
    name: Annotated[
        str,
        setting("Name of our jobs, and of workers as NAME-JOB. One for each fleet.", pattern="^[A-Za-z0-9._-]{1,40}$"),
    ] = "crossfleet"
    pilots: Annotated[int, setting("Pilots at once, queued and running, of all pools.", ge=1, le=10_000)] = 64
    slot_seconds: Annotated[
        float, setting("A slot is asked for only for so much estimated work, in seconds. 0: for any.", ge=0)
    ] = 60.0
    patience_seconds: Annotated[
        float, setting("How long work waits for slots before Slurm is asked for some, in seconds.", ge=0)
    ] = 2.0
    linger_seconds: Annotated[
        float, setting("A queued pilot that nobody has waited for so long is cancelled, in seconds.", ge=0)
    ] = 10.0
    idle_seconds: Annotated[float, setting("A worker that has held nothing for so long leaves, in seconds.", ge=1)] = (
        60.0
    )
    leave_seconds: Annotated[
        int, setting("A pilot begins to leave so long before the time limit of its job, in seconds.", ge=10, le=3600)
    ] = 120
    poll_seconds: Annotated[
        float, setting("How often Slurm is asked while somebody waits or a pilot is there, in seconds.", ge=0.1)
    ] = 5.0
    command_seconds: Annotated[float, setting("Time limit of one sbatch, squeue or scancel, in seconds.", ge=1)] = 30.0
    logs: Annotated[str, setting("Folder on the nodes for the output of pilots, NAME-JOB.log. Best one shared.")] = (
        "/tmp"  # noqa: S108 - of the node, and there on each
    )
    cache: Annotated[
        str, setting("Folder on the nodes for environments and files. Empty: one below TMPDIR or /tmp for each user.")
    ] = ""
    log_format: Annotated[Literal["json", "console"], setting("Form of the log on standard error.")] = "json"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], setting("Least level that is logged.")] = "info"
    server: ServerSettings = ServerSettings()
