"""What a deadline does to the place of work in a queue: one rule, for schedulers and for who foresees them."""

_LEAD_SECONDS = 86_400.0


def counts_from(submitted_at: float, deadline: float) -> float:
    """Since when work counts as waiting, among that of its project and priority: since it came, or a day before it is due.

    The earlier of both, in unix seconds; an infinite deadline is none. Since nothing is due before it has come, work that is
    not due at all is passed by what comes within a day, and by nothing later.
    """
    return min(submitted_at, deadline - _LEAD_SECONDS)
