"""The Python client of a fleet: `async with Client.open(Endpoint("unix:/run/c.sock")) as client: ...`."""

from crossfleet.client.blocking import BlockingClient
from crossfleet.client.client import Client
from crossfleet.client.endpoint import Endpoint
from crossfleet.client.workspace import Workspace, pack

__all__ = ["BlockingClient", "Client", "Endpoint", "Workspace", "pack"]
