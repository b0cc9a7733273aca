"""What a coordinator refuses at its start when it is to be one of several."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfleet.coordinator.config import Settings
from crossfleet.coordinator.main import start
from crossfleet.foundation.errors import ConfigurationInvalid
from crossfleet.foundation.etcd.settings import EtcdSettings
from crossfleet.foundation.serve import ServerSettings

DATABASE = "postgresql+psycopg://crossfleet@db.invalid/crossfleet"


@pytest.mark.parametrize(
    ("database", "listen", "advertise", "field"),
    [
        ("", "127.0.0.1:7400", "", "database"),
        (DATABASE, "0.0.0.0:7400", "", "advertise"),
        (DATABASE, "[::]:7400", "", "advertise"),
        (DATABASE, "0.0.0.0:7400", "c1.example", "advertise"),
        (DATABASE, "127.0.0.1:0", "c1.example:0", "advertise"),
    ],
)
async def test_one_of_several_coordinators_needs_a_database_and_an_address_that_others_can_dial(
    tmp_path: Path, database: str, listen: str, advertise: str, field: str
) -> None:
    settings = Settings(
        data=str(tmp_path),
        database=database,
        advertise=advertise,
        etcd=EtcdSettings(endpoints="127.0.0.1:1"),
        server=ServerSettings(listen=(listen,)),
    )
    with pytest.raises(ConfigurationInvalid) as refused:
        await start(settings, {})
    assert [one.path for one in refused.value.fields] == [field]
