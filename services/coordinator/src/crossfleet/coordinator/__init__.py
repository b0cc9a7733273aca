"""The owner of the truth: state machine, ledger, dispatcher, worker sessions."""

# Kept equal to pyproject.toml by a test: importlib.metadata would cost a cold start 45 ms.
__version__ = "0.1.0"
