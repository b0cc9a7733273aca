import asyncio
import sys

import pytest


@pytest.fixture
def crossfleet_at():
    """Runs `crossfleet scheduler check` in a process of its own; answers status, output and errors."""

    async def run(*arguments: str) -> tuple[int | None, str, str]:
        command = (sys.executable, "-m", "crossfleet.cli.main", "scheduler", "check", *arguments)
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        async with asyncio.timeout(30):
            out, errors = await process.communicate()
        return process.returncode, out.decode(), errors.decode()

    return run
