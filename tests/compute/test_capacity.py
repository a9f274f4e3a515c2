import os
from pathlib import Path

import pytest

from lazulite.compute.capacity import find_capacity


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    (tmp_path / "cgroup").mkdir()
    (tmp_path / "dev").mkdir()
    return tmp_path


def capacity_of(machine: Path):
    return find_capacity(machine / "cgroup", machine / "dev")


def test_without_limits_the_machine_is_what_it_has(machine):
    (machine / "cgroup/cpu.max").write_text("max 100000\n")
    (machine / "cgroup/memory.max").write_text("max\n")
    found = capacity_of(machine)
    assert found.cores == found.slots >= 1
    assert found.memory == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert found.gpus == 0


@pytest.mark.parametrize("quota", ["100000 100000", "150000 100000", "50000 100000"])
def test_a_quota_leaves_whole_cores_and_at_least_one(machine, quota):
    (machine / "cgroup/cpu.max").write_text(quota)
    assert capacity_of(machine).cores == 1


def test_limits_of_cgroup_v1_count_too(machine):
    for name, text in (
        ("cpu/cpu.cfs_quota_us", "100000"),
        ("cpu/cpu.cfs_period_us", "100000"),
        ("memory/memory.limit_in_bytes", "1048576"),
    ):
        path = machine / "cgroup" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    found = capacity_of(machine)
    assert (found.cores, found.memory) == (1, 1048576)


def test_a_quota_above_the_machine_adds_nothing(machine):
    (machine / "cgroup/cpu.max").write_text("99900000 100000")
    (machine / "cgroup/memory.max").write_text("9223372036854771712")
    assert capacity_of(machine).cores <= (os.cpu_count() or 1)
    assert capacity_of(machine).memory < 9223372036854771712


def test_gpus_are_counted_by_their_devices(machine):
    for name in ("nvidia0", "nvidia1", "nvidia10", "nvidiactl", "nvidia-uvm", "null"):
        (machine / "dev" / name).touch()
    assert capacity_of(machine).gpus == 3
