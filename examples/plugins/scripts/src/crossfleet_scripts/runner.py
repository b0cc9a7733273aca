"""Names the program to the worker."""

from __future__ import annotations

from crossfleet.worker.runners.program_runner import ProgramRunner


class ScriptsRunner(ProgramRunner):
    """`crossfleet run --runner scripts -- FOLDER`."""

    program = "crossfleet_scripts.program:Scripts"
