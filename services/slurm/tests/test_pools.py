"""The file of pools: what is wrong in it is named."""

import pytest

from crossfleet.foundation.errors import ConfigurationInvalid
from crossfleet.slurm.pools import DEFAULT, load_pools


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[cpu]\npartitoin = 'x'\n", ["cpu.partitoin", "did you mean partition?"]),
        ("[cpu]\nslots = 0\n", ["cpu", "slots"]),
        ("[cpu]\nmemory = 'lots'\n", ["cpu.memory", "not a quantity"]),
        ("[cpu]\noptions = ['--job-name=x']\n", ["cpu.options", "--job-name is set by the bridge"]),
        ("[cpu]\noptions = ['ml']\n", ["cpu.options", "ml"]),
        ("[cpu]\ndevices = { gpu = 1 }\n", ["cpu.devices.gpu", "gres"]),
        ("cpu = 3\n", ["cpu", "table"]),
        ("['no/slash']\n", ["no/slash", "letters"]),
        ("", ["at least one"]),
        ("[", ["not TOML"]),
    ],
)
def test_a_mistake_is_named_with_its_mend(tmp_path, text, words):
    (tmp_path / "pools.toml").write_text(text)
    with pytest.raises(ConfigurationInvalid) as caught:
        load_pools(str(tmp_path / "pools.toml"))
    told = str(caught.value) + "".join(f"{field.path} {field.description}" for field in caught.value.fields)
    assert all(word in told for word in words), told


def test_pools_are_read_in_their_order(tmp_path):
    (tmp_path / "pools.toml").write_text(
        "[gpu]\npartition = 'gpu'\nmemory = '16GiB'\ngres = { gpu = 'gpu:a100' }\ndevices = { gpu = 1 }\n[cpu]\n"
    )
    first, second = load_pools(str(tmp_path / "pools.toml"))
    assert (first.name, first.memory_bytes, first.gres["gpu"], second.name) == ("gpu", 16 * 2**30, "gpu:a100", "cpu")


def test_without_a_file_there_is_one_pool_and_a_file_that_is_not_there_is_named(tmp_path):
    assert load_pools("") == (DEFAULT,)
    with pytest.raises(ConfigurationInvalid, match="nowhere"):
        load_pools(str(tmp_path / "nowhere"))
