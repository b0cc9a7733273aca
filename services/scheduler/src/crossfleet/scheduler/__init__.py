"""The default scheduler: a pure planning core behind the Scheduler protocol."""

# Kept equal to pyproject.toml by a test: importlib.metadata would cost a cold start 45 ms.
__version__ = "0.1.0"
