"""Typed settings: defaults < TOML file < environment < flags, each with a description and a clear error."""

from __future__ import annotations

from crossfleet.foundation.config.load import load, load_with_sources, variable_of
from crossfleet.foundation.config.model import Setting, describe, setting
from crossfleet.foundation.config.page import reference_page

__all__ = ["Setting", "describe", "load", "load_with_sources", "reference_page", "setting", "variable_of"]
