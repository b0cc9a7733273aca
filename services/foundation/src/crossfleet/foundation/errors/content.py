"""Bytes: digests, uploads, storage."""

from __future__ import annotations

from grpc import StatusCode

from crossfleet.foundation.errors.base import CrossfleetError


class DigestMismatch(CrossfleetError):
    """The bytes received are not those that the digest names."""

    reason = "DIGEST_MISMATCH"
    code = StatusCode.INVALID_ARGUMENT


class BlobsMissing(CrossfleetError):
    """The request refers to blobs that were not uploaded."""

    reason = "BLOBS_MISSING"
    code = StatusCode.FAILED_PRECONDITION


class UploadOffsetMismatch(CrossfleetError):
    """A part of an upload does not start where the stored part ends."""

    reason = "UPLOAD_OFFSET_MISMATCH"
    code = StatusCode.OUT_OF_RANGE


class BlobTooLarge(CrossfleetError):
    """A blob or artifact is longer than the limit."""

    reason = "BLOB_TOO_LARGE"
    code = StatusCode.RESOURCE_EXHAUSTED


class DiskFull(CrossfleetError):
    """The disk (or its quota) is full."""

    reason = "DISK_FULL"
    code = StatusCode.RESOURCE_EXHAUSTED


class StorageCorrupt(CrossfleetError):
    """What is stored cannot be read back as it was written."""

    reason = "STORAGE_CORRUPT"
    code = StatusCode.DATA_LOSS


class ArtifactStoreUnavailable(CrossfleetError):
    """The artifact store is away, or refuses what it is asked for."""

    reason = "ARTIFACT_STORE_UNAVAILABLE"
    code = StatusCode.UNAVAILABLE


class ManifestInvalid(CrossfleetError):
    """A path of a manifest leaves the workspace, is absolute, or is named twice."""

    reason = "MANIFEST_INVALID"
    code = StatusCode.INVALID_ARGUMENT
