"""Whether anybody listens, found out without gRPC."""

from __future__ import annotations

import asyncio

from crossfleet.foundation.errors.load import Unavailable
from crossfleet.foundation.serve.addresses import UnixAddress, parse


async def probe(address: str, seconds: float = 5.0) -> None:
    """Return when somebody listens there. Raises Unavailable, after `seconds` at most.

    gRPC's own back-off begins at 100 ms, too long for a cold start.
    """
    parsed = parse(address)
    try:
        async with asyncio.timeout(seconds):
            if isinstance(parsed, UnixAddress):
                _, writer = await asyncio.open_unix_connection(str(parsed.path))
            else:
                _, writer = await asyncio.open_connection(parsed.host, parsed.port)
    except (OSError, TimeoutError) as error:
        why = str(error) or f"no answer within {seconds:.0f} s"
        raise Unavailable(f"{address} cannot be reached: {why}", address=address) from error
    writer.close()
