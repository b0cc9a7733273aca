"""To whom a shared store belongs: one fleet removes there, whoever else is given its address."""

from __future__ import annotations

from crossfleet.coordinator.artifacts.blobs import BlobStore, asking, put_new

OWNER = "owner"
"""The name of the object that holds the id of the fleet."""


async def owns(blobs: BlobStore, fleet_id: str) -> bool:
    """Whether a fleet may remove from its store; it takes one that is nobody's. Raises ArtifactStoreUnavailable."""
    if not blobs.place.shared:
        return True
    with asking(blobs.place, writing=True):
        await put_new(blobs.store, OWNER, fleet_id.encode(), new=True)
    with asking(blobs.place):
        found = bytes(await (await blobs.store.get_async(OWNER)).bytes_async())
    return found.decode(errors="replace").strip() == fleet_id
