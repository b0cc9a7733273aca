"""What is wrong with an installation, its settings or its plugins."""

from __future__ import annotations

from grpc import StatusCode

from crossfleet.foundation.errors.base import CrossfleetError


class DataFolderInUse(CrossfleetError):
    """Another process has this data folder."""

    reason = "DATA_FOLDER_IN_USE"
    code = StatusCode.FAILED_PRECONDITION


class NetworkFileSystem(CrossfleetError):
    """The data folder is on a network file system, where SQLite's locks do not hold."""

    reason = "NETWORK_FILE_SYSTEM"
    code = StatusCode.FAILED_PRECONDITION


class PortInUse(CrossfleetError):
    """Another process listens there."""

    reason = "PORT_IN_USE"
    code = StatusCode.FAILED_PRECONDITION


class AddressInvalid(CrossfleetError):
    """The address cannot be listened on."""

    reason = "ADDRESS_INVALID"
    code = StatusCode.INVALID_ARGUMENT


class SocketPathTooLong(CrossfleetError):
    """The path of a Unix socket is longer than the system takes."""

    reason = "SOCKET_PATH_TOO_LONG"
    code = StatusCode.INVALID_ARGUMENT


class ConfigurationInvalid(CrossfleetError):
    """A setting is unknown or has a wrong value."""

    reason = "CONFIGURATION_INVALID"
    code = StatusCode.INVALID_ARGUMENT


class SchemaVersionUnsupported(CrossfleetError):
    """The database was written by a version that this one does not know."""

    reason = "SCHEMA_VERSION_UNSUPPORTED"
    code = StatusCode.FAILED_PRECONDITION


class PluginFailed(CrossfleetError):
    """A plugin failed to load, to take its settings or to answer."""

    reason = "PLUGIN_FAILED"
    code = StatusCode.FAILED_PRECONDITION


class PluginQuarantined(CrossfleetError):
    """A plugin failed too often and is not called any more."""

    reason = "PLUGIN_QUARANTINED"
    code = StatusCode.FAILED_PRECONDITION


class RequirementMissing(CrossfleetError):
    """A program or package that this needs is not installed."""

    reason = "REQUIREMENT_MISSING"
    code = StatusCode.FAILED_PRECONDITION
