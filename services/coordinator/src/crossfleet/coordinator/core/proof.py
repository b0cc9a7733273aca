"""Proofs: with what its needs had produced a target has passed. They outlive their runs, as facts of no run."""

from __future__ import annotations

from dataclasses import dataclass, field

Place = tuple[str, str, str]
"""Project, suite and target."""

# Branches of a repository take turns: each should find what it proved itself.
MOST_OF_A_TARGET = 32
MOST_TARGETS = 10_000


@dataclass(frozen=True, slots=True)
class Proof:
    """In `by_run` a target has passed with these inputs, a digest; `at` in unix seconds."""

    project: str
    suite: str
    target: str
    inputs: str
    by_run: str
    at: float

    @property
    def place(self) -> Place:
        """Of which target."""
        return self.project, self.suite, self.target


@dataclass(frozen=True, slots=True)
class InputsProved:
    """There is such a proof from now on, in the place of an earlier one with the same inputs."""

    proof: Proof


@dataclass(frozen=True, slots=True)
class ProofsDropped:
    """They prove nothing any more: the target has failed with the same, or there are too many."""

    proofs: tuple[Proof, ...]


@dataclass(frozen=True, slots=True)
class InputsKnown:
    """What a group needs has ended: a digest of what that produced, empty where it cannot be compared, and what came of it."""

    run_id: str
    group_id: str
    digest: str
    text: str


@dataclass(frozen=True, slots=True)
class TargetUnchanged:
    """The group is skipped since it passed with the same inputs in the run `since`. Comes before GroupSkipped."""

    run_id: str
    group_id: str
    since: str


ProofFact = InputsProved | ProofsDropped | InputsKnown | TargetUnchanged


@dataclass(slots=True)
class Proofs:
    """All that hold, by target and inputs; the latest at the end, of the targets too."""

    by_place: dict[Place, dict[str, Proof]] = field(default_factory=dict)

    def find(self, place: Place, inputs: str) -> Proof | None:
        """That a target passed with these inputs."""
        return self.by_place.get(place, {}).get(inputs)

    def against(self, place: Place, inputs: str) -> tuple[Proof, ...]:
        """Those that a failure with these inputs undoes; all of the target where it is not known with what it has failed."""
        known = self.by_place.get(place, {})
        return tuple(proof for one, proof in known.items() if inputs in {"", one})

    def latest(self, place: Place) -> Proof | None:
        """The latest of a target."""
        return next(reversed(self.by_place.get(place, {}).values()), None)

    def displaced(self, proof: Proof) -> tuple[Proof, ...]:
        """Those that must go before another one comes."""
        known = self.by_place.get(proof.place)
        if known is None:
            oldest = next(iter(self.by_place.values()), {}) if len(self.by_place) >= MOST_TARGETS else {}
            return tuple(oldest.values())
        full = len(known) >= MOST_OF_A_TARGET and proof.inputs not in known
        return (next(iter(known.values())),) if full else ()

    def add(self, proof: Proof) -> None:
        """As the latest."""
        known = self.by_place.pop(proof.place, {})
        known.pop(proof.inputs, None)
        known[proof.inputs] = proof
        self.by_place[proof.place] = known

    def drop(self, proof: Proof) -> None:
        """One that holds no longer."""
        known = self.by_place[proof.place]
        del known[proof.inputs]
        if not known:
            del self.by_place[proof.place]
