"""pytest-benchmark over slots: which cases measure, and their measurements on the way to the zygote's session."""

from __future__ import annotations

import json
import marshal
import pstats
import types
from typing import Any, Dict, List


def measures(item: Any) -> bool:
    """Whether a case times something, so that nothing else should run beside it."""
    session = getattr(item.config, "_benchmarksession", None)
    if session is None or session.disabled or session.skip:
        return False
    return "benchmark" in getattr(item, "fixturenames", ())


def enable(config: Any) -> None:
    """Undo what the plugin does to a worker of xdist: measuring cases have their host to themselves."""
    session = getattr(config, "_benchmarksession", None)
    if getattr(session, "xdist_warning", False):
        session.disabled = False  # type: ignore[union-attr]
        session.xdist_warning = False  # type: ignore[union-attr]


def forget(item: Any) -> None:
    """Drop what a case has measured: it is executed again."""
    session = getattr(item.config, "_benchmarksession", None)
    if session is not None:
        session.benchmarks[:] = [each for each in session.benchmarks if each.fullname != item.nodeid]


def note(item: Any, host: List[List[str]]) -> None:
    """Say of what a case has measured how its host was meanwhile."""
    session = getattr(item.config, "_benchmarksession", None)
    for each in getattr(session, "benchmarks", ()) if host else ():
        if each.fullname == item.nodeid:
            each.extra_info.update((name, value) for name, value in host)


def measured(config: Any) -> bytes:
    """What was measured in this process, marshalled; empty when nothing was."""
    session = getattr(config, "_benchmarksession", None)
    found = [_described(each) for each in getattr(session, "benchmarks", ()) if each]
    return marshal.dumps(found) if found else b""


def add(config: Any, left: bytes) -> None:
    """Give the zygote's session what a slot has measured."""
    from pytest_benchmark.stats import Metadata  # type: ignore[import-not-found]

    for fields in marshal.loads(left):  # noqa: S302 - written by a fork of this process
        profile = fields.pop("profile")
        data, iterations, options = fields.pop("data"), fields.pop("iterations"), fields.pop("options")
        fixture = types.SimpleNamespace(**fields, cprofile_stats=_statistics(profile) if profile else None)
        benchmark = Metadata(fixture, iterations=iterations, options=options)
        for seconds in data:
            benchmark.stats.update(seconds)
        config._benchmarksession.benchmarks.append(benchmark)


def _described(benchmark: Any) -> Dict[str, Any]:
    fields: Dict[str, Any] = {
        name: json.loads(json.dumps(getattr(benchmark, name), default=str))
        for name in ("name", "fullname", "group", "param", "params", "extra_info")
    }
    fields["has_error"] = bool(benchmark.has_error)
    fields["options"] = json.loads(json.dumps(benchmark.as_dict(stats=False)["options"], default=str))
    fields["iterations"] = benchmark.iterations
    fields["data"] = list(benchmark.stats.data)
    profile = benchmark.cprofile_stats
    fields["profile"] = profile.stats if profile else None
    return fields


def _statistics(profile: Dict[Any, Any]) -> pstats.Stats:
    return pstats.Stats(types.SimpleNamespace(stats=profile, create_stats=lambda: None))  # type: ignore[arg-type]
