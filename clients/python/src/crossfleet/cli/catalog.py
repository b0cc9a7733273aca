"""The commands of `crossfleet`: their modules are imported only when they are called."""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run", "run a test suite, or any command, on a fleet and give one verdict"),
    "estimate": ("estimate", "say when a run would begin and end, without submitting it"),
    "up": ("up", "keep a fleet in the foreground"),
    "worker": ("worker", "join a fleet as a worker"),
    "runs": ("runs", "list runs"),
    "show": ("show", "show a run: its matrix, failures and slowest cases"),
    "cases": ("cases", "say what became of cases over the last runs: flaky, failed, slow ones"),
    "watch": ("watch", "follow a run until it ends"),
    "stacks": ("stacks", "show what the running cases are doing"),
    "logs": ("logs", "print what a run's processes wrote"),
    "artifacts": ("artifacts", "list or fetch the files that a run left"),
    "merge": ("merge", "join the reports of shards into one matrix, verdict and exit status"),
    "durations": ("durations", "write what the fleet has learnt of durations to a file, or teach it a file"),
    "reproduce": ("reproduce", "replay the order in which a case failed, here, and shrink it"),
    "cancel": ("cancel", "stop a run"),
    "schedule": ("schedule", "run a suite again and again, by cron"),
    "explain": ("explain", "say why a run waits, behind what, and when it will begin and end"),
    "workers": ("workers", "list workers and their devices"),
    "devices": ("devices", "list the devices of the fleet, say what one is like, or hide it"),
    "reserve": ("reserve", "keep workers for a project for a while"),
    "drain": ("drain", "keep new work away from a worker"),
    "quarantine": ("quarantine", "doubt a worker until it has passed a test and a task"),
    "undrain": ("undrain", "let a drained or quarantined worker take work again"),
    "doctor": ("doctor", "find what is wrong with this installation, environment and fleet"),
    "scheduler": ("scheduler", "say how schedulers stand; check one of your own against the protocol"),
    "simulate": ("simulate", "play schedulers against a trace of work, and compare what they make of it"),
    "admin": ("admin", "back up, restore and look after a fleet"),
    "clean": ("clean", "remove caches and old logs"),
    "completion": ("completion", "print a completion script for a shell"),
    "version": ("version", "print versions"),
}
"""Name -> (module below crossfleet.cli.commands, one line of help), in the order of the help text."""
