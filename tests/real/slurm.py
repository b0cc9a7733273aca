"""A real Slurm on this machine: munged, slurmctld and some slurmd. `tools/install_slurm` brings the programs."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_UNPACKED = Path(__file__).parents[2] / ".tools" / "slurm" / "unpacked"
_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
_START_SECONDS = 30.0
_LOOK_SECONDS = 0.05


class SlurmDidNotStart(Exception):
    """A daemon ended, or the nodes never got idle; the text is the logs."""


@dataclass
class SlurmCluster:
    """One cluster. `environment` is what its commands need, and whoever calls them."""

    folder: Path
    nodes: int = 2
    cpus: int = 4
    environment: dict[str, str] = field(default_factory=dict)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Its nodes."""
        return [f"node{number}" for number in range(1, self.nodes + 1)]

    def start(self) -> None:
        """Begin, and wait until every node takes work."""
        self.environment = _environment() | {"SLURM_CONF": str(self.folder / "slurm.conf")}
        self._write()
        socket_flag = f"--socket={self.folder}/munge.socket"
        files = [f"--{name}-file={self.folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
        self._begin("munged", "--foreground", "--force", "--num-threads=1", socket_flag, *files)
        self._wait((self.folder / "munge.socket").exists, "munged")
        self._begin("slurmctld", "-D", "-f", str(self.folder / "slurm.conf"))
        stepd = _program("slurmstepd") or "/usr/sbin/slurmstepd"
        for name in self.names:
            self._begin("slurmd", "-D", "-f", str(self.folder / "slurm.conf"), "-N", name, "-d", stepd)
        self._wait(self._idle, "the nodes")

    def stop(self) -> None:
        """End every job and daemon."""
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self._processes):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def call(self, *command: str) -> str:
        """A command of Slurm's; what it printed. Raises AssertionError with its words where it failed."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()

    def jobs(self, name: str, states: str = "PENDING,RUNNING,CONFIGURING") -> dict[str, str]:
        """State by id of the jobs of that name."""
        listed = self.call("squeue", "--noheader", f"--name={name}", f"--states={states}", "--format=%i %T")
        return dict(line.split() for line in listed.splitlines())

    def open(self, partition: str = "main", *, up: bool = True) -> None:
        """Let jobs begin in a partition, or let them wait."""
        self.call("scontrol", "update", f"PartitionName={partition}", f"State={'UP' if up else 'DOWN'}")

    def forget_jobs(self, name: str) -> None:
        """Cancel the jobs of that name and wait until they are gone."""
        self.call("scancel", f"--name={name}")
        self._wait(lambda: not self.jobs(name, "PENDING,RUNNING,CONFIGURING,COMPLETING"), f"the end of {name}")

    def _idle(self) -> bool:
        listed = subprocess.run(
            ["sinfo", "--noheader", "--Node", "--format=%t"],
            env=self.environment, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        return listed.stdout.split() == ["idle"] * self.nodes

    def _write(self) -> None:
        (self.folder / "munge.key").write_bytes(secrets.token_bytes(1024))
        (self.folder / "munge.key").chmod(0o600)
        for name in ("state", *(f"spool-{node}" for node in self.names)):
            (self.folder / name).mkdir()
        (self.folder / "slurm.conf").write_text(self._configuration())

    def _configuration(self) -> str:
        folder, user, host = self.folder, getpass.getuser(), socket.gethostname().split(".")[0]
        ports = _free_ports(self.nodes + 1)
        plugins = next(iter(_UNPACKED.glob("usr/lib/*/slurm-wlm")), None) if _unpacked() else None
        lines = [
            "ClusterName=crossfleet",
            f"SlurmctldHost={host}(127.0.0.1)",
            f"SlurmctldPort={ports[0]}",
            f"SlurmUser={user}",
            f"SlurmdUser={user}",
            "AuthType=auth/munge",
            "CredType=cred/munge",
            f"AuthInfo=socket={folder}/munge.socket",
            f"StateSaveLocation={folder}/state",
            f"SlurmdSpoolDir={folder}/spool-%n",
            f"SlurmctldPidFile={folder}/slurmctld.pid",
            f"SlurmdPidFile={folder}/slurmd-%n.pid",
            f"SlurmctldLogFile={folder}/slurmctld.log",
            f"SlurmdLogFile={folder}/slurmd-%n.log",
            "ProctrackType=proctrack/linuxproc",
            "TaskPlugin=task/none",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_CPU",
            "SlurmdParameters=config_overrides",
            "SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=1",
            "SwitchType=switch/none",
            "MpiDefault=none",
            "JobAcctGatherType=jobacct_gather/none",
            "AccountingStorageType=accounting_storage/none",
            "JobCompType=jobcomp/none",
            "ReturnToService=2",
            "KillWait=10",
            *([f"PluginDir={plugins}"] if plugins else []),
            *(
                f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={self.cpus} Feature=big"
                for name, port in zip(self.names, ports[1:], strict=True)
            ),
            "PartitionName=main Nodes=ALL Default=YES MaxTime=60 DefaultTime=60 State=UP",
        ]
        return "\n".join(lines) + "\n"

    def _begin(self, program: str, *arguments: str) -> None:
        # Where there is setpriv, it dies with the tests, also when these are killed.
        with_us = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with (self.folder / f"{program}.out").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    [*with_us, _program(program) or program, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    env=self.environment,
                )
            )

    def _wait(self, condition: object, what: str) -> None:
        assert callable(condition)
        end = time.monotonic() + _START_SECONDS
        while not condition():
            if time.monotonic() > end or any(one.poll() is not None for one in self._processes):
                raise SlurmDidNotStart(f"{what}: {self.logs()}")
            time.sleep(_LOOK_SECONDS)

    def logs(self) -> str:
        """The end of every log."""
        files = sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")])
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')[-1500:]}" for file in files)


@contextmanager
def slurm_cluster(folder: Path, nodes: int = 2) -> Iterator[SlurmCluster]:
    """A cluster that runs within the block; a named skip where there is no Slurm, under CI=true a failure."""
    missing = [name for name in _PROGRAMS if _program(name) is None]
    if missing:
        text = f"no {', '.join(missing)} here: tools/install_slurm brings Slurm"
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)
    cluster = SlurmCluster(folder, nodes)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _unpacked() -> bool:
    return (_UNPACKED.parent / "complete").exists()


def _environment() -> dict[str, str]:
    """This process's, with the unpacked programs and their libraries where they are."""
    environment = dict(os.environ)
    if _unpacked():
        programs = [str(_UNPACKED / part) for part in ("usr/bin", "usr/sbin")]
        libraries = sorted({str(file.parent) for file in _UNPACKED.glob("usr/lib/**/*.so*")})
        environment["PATH"] = os.pathsep.join([*programs, environment["PATH"]])
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(libraries)
    return environment


def _program(name: str) -> str | None:
    return shutil.which(name, path=_environment()["PATH"] + os.pathsep + "/usr/sbin")


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    found = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return found
