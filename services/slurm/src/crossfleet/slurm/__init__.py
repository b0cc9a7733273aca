"""The Slurm bridge: stands in front of a scheduler and submits pilots, which start workers, for what waits."""

# Kept equal to pyproject.toml by a test: importlib.metadata would cost a cold start 45 ms.
__version__ = "0.1.0"
