"""What processes use, as the system tells it; GPUs by a library that is told what to say."""

import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lazulite.compute.gpus import Gpus, find_gpus
from lazulite.compute.host import find_host
from lazulite.compute.usage import read_process, sessions, usage_of
from lazulite.ports.compute import Capacity, GpuLoad


def test_this_process_uses_what_it_says_itself():
    found = read_process(os.getpid())
    own = resource.getrusage(resource.RUSAGE_SELF)
    assert found is not None
    assert found.cpu >= own.ru_utime * 0.5
    assert 1_000_000 < found.memory < 100_000_000_000


def test_a_process_that_is_gone_is_none():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert read_process(child.pid) is None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_name_with_spaces_and_brackets_confuses_nobody(tmp_path):
    program = tmp_path / "a ) R (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "600"]) as child:
        try:
            assert read_process(child.pid) is not None
        finally:
            child.kill()


def test_sessions_are_found_by_their_leader():
    command = [sys.executable, "-c", "print(1, flush=True); input()"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, start_new_session=True, stdin=pipe, stdout=pipe) as child:
        child.stdout.readline()
        assert sessions([child.pid, -1]) == [[child.pid], []]
        child.stdin.write(b"\n")


def test_memory_that_the_server_itself_may_have_had_is_not_told():
    mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def used(peak):
        return SimpleNamespace(
            ru_utime=1.0, ru_stime=0.5, ru_maxrss=peak, ru_inblock=2, ru_oublock=4
        )

    assert usage_of(used(mine * 2)).memory >= mine
    assert usage_of(used(mine * 2)).cpu == 1.5
    if sys.platform == "linux":
        found = usage_of(used(1))
        assert (found.memory, found.read, found.written) == (None, 1024, 2048)


class Broken(Exception):
    """What the library raises."""


def library(*, works=True):
    """What `pynvml` is to us: three GPUs, of which the second is not told how busy it is."""

    def init():
        if not works:
            raise Broken("driver mismatch")

    def running(gpu):
        held = {0: [(10, 5), (11, 7), (99, 1)], 1: [(10, None)], 2: []}[gpu]
        return [SimpleNamespace(pid=pid, usedGpuMemory=memory) for pid, memory in held]

    def busy(gpu):
        if gpu == 1:
            raise Broken("not supported")
        return SimpleNamespace(gpu=80)

    return SimpleNamespace(
        NVMLError=Broken,
        nvmlInit=init,
        nvmlDeviceGetCount=lambda: 3,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda gpu: "H100" if gpu else b"A100",
        nvmlDeviceGetComputeRunningProcesses=running,
        nvmlDeviceGetUtilizationRates=busy,
    )


def test_a_job_has_the_gpus_that_its_processes_are_on():
    found = Gpus(library())
    assert found.names() == ("A100", "H100", "H100")
    assert found.loads([[10, 11], [12]]) == [(GpuLoad(index=0, busy=80.0, memory=12),), ()]


def test_gpus_are_asked_only_where_they_and_the_library_are(tmp_path, monkeypatch):
    assert find_gpus(tmp_path / "none") is None
    for number, module in enumerate((None, library(works=False), library())):
        monkeypatch.setitem(sys.modules, "pynvml", module)
        device = tmp_path / str(number)
        device.touch()
        found = find_gpus(device)
        assert (found is not None) == (number == 2)


def test_the_host_is_what_jobs_may_use_of_this_machine():
    found = find_host(Capacity(cores=3, memory=5, gpus=2), "1.0")
    assert (found.cpus, found.memory, found.server) == (3, 5, "1.0")
    assert found.name
    assert found.system
    if not Path("/dev/nvidiactl").exists():
        assert found.gpus == ("GPU", "GPU")
