import dataclasses
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from lazulite.compute.record import boot_token, record_path
from lazulite.domain.errors import Conflict, Unavailable
from lazulite.ports.compute import Alive, Ended, Launch, Lost, Unclaimed
from lazulite.testing.compute import ComputeSuite
from lazulite.testing.processes import ComputeCase, is_running, said, until

LOCAL = "lazulite.compute.local:LocalCompute"


class TestLocalCompute(ComputeSuite):
    entry = LOCAL


class TestRecords(ComputeCase):
    entry = LOCAL

    def write(self, launch: Launch, text: str) -> None:
        launch.records.mkdir(parents=True)
        header = (
            f'{{"key":"{launch.key}","attempt":1,"fence":"1","boot":"{boot_token()}",'
            '"launched":1700000000.5}\n'
        )
        record_path(launch).write_text(header + text)

    def test_a_result_without_its_newline_is_not_trusted(self, tmp_path):
        launch = self.prepare(tmp_path, "true")
        self.write(launch, "claim 99999999\nexit 0")
        assert isinstance(self.make().look(launch), Lost)

    def test_a_result_with_its_newline_is_trusted(self, tmp_path):
        launch = self.prepare(tmp_path, "true")
        self.write(launch, "claim 99999999\nexit 9\n")
        sight = self.make().look(launch)
        assert isinstance(sight, Ended)
        assert (sight.exit_code, sight.started) == (9, 1700000000.5)

    def test_a_claim_without_its_newline_is_no_claim(self, tmp_path):
        launch = self.prepare(tmp_path, "exit 4")
        self.write(launch, "claim 123")
        assert self.make().look(launch) == Unclaimed()
        sight = self.run(launch)
        assert isinstance(sight, Ended)
        assert sight.exit_code == 4

    @pytest.mark.parametrize("text", ["", "{", "\x00" * 100, "not json\nexit 0\n"])
    def test_a_record_that_says_nothing_is_no_claim(self, tmp_path, text):
        launch = self.prepare(tmp_path, "true")
        launch.records.mkdir(parents=True)
        record_path(launch).write_text(text)
        assert self.make().look(launch) == Unclaimed()

    def test_a_claim_of_another_boot_is_lost_with_that_reason(self, tmp_path):
        launch = self.prepare(tmp_path, "true")
        self.write(launch, f"claim {os.getpid()}\n")
        path = record_path(launch)
        path.write_text(path.read_text().replace(boot_token(), "another"))
        sight = self.make().look(launch)
        assert isinstance(sight, Lost)
        assert "restarted" in sight.reason

    def test_two_jobs_with_one_records_folder_are_refused(self, tmp_path):
        launch = self.prepare(tmp_path, "true")
        self.write(launch, "claim 1\nexit 0\n")
        path = record_path(launch)
        path.write_text(path.read_text().replace('"key":"job"', '"key":"other"'))
        with pytest.raises(Conflict, match=r"job job: .* is the record of job other"):
            self.make().launch(launch)

    def test_a_pid_that_someone_else_has_now_does_not_look_alive(self, tmp_path):
        launch = self.prepare(tmp_path, "true")
        self.write(launch, f"claim {os.getpid()}\n")
        assert isinstance(self.make().look(launch), Lost)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
    def test_a_full_disk_is_told_before_anything_runs(self, tmp_path):
        launch = self.prepare(tmp_path, "true")
        launch.records.mkdir(parents=True)
        record_path(launch).symlink_to("/dev/full")
        with pytest.raises(Unavailable, match=r"No space left.*records\); free space on its disk"):
            self.make().launch(launch)
        assert said(launch) == ""


class TestProcesses(ComputeCase):
    entry = LOCAL

    @pytest.mark.parametrize("proof", ["log", "environment"])
    def test_a_killed_shim_is_lost_and_its_orphans_are_killed(self, tmp_path, proof):
        backend = self.make()
        launch = self.prepare(tmp_path, "sleep 600 & echo $! $$ ready; sleep 600; true")
        os.kill(self.launch_waiting(launch, backend), signal.SIGKILL)
        lacks = {"log": {"env": {}}, "environment": {"log": tmp_path / "other.txt"}}[proof]
        sight = self.await_end(backend, dataclasses.replace(launch, **lacks))
        assert isinstance(sight, Lost)
        assert "what it left behind was killed" in sight.reason
        pids = [int(word) for word in said(launch).split() if word.isdigit()]
        until(lambda: not any(map(is_running, pids)), "an orphan lives")

    def test_orphans_that_may_be_someone_elses_are_left_alone(self, tmp_path):
        with _group_without_leader() as (leader, orphan):
            launch = self.prepare(tmp_path, "true")
            TestRecords.write(self, launch, f"claim {leader}\n")
            sight = self.make().look(launch)
            assert isinstance(sight, Lost)
            assert "left alone" in sight.reason
            assert is_running(orphan)

    def test_no_zombies_are_left(self, tmp_path):
        for number in range(5):
            self.run(self.prepare(tmp_path, "true", key=f"job-{number}"))
        assert [c for c in psutil.Process().children() if not is_running(c.pid)] == []

    def test_threads_are_used_again_and_leave_with_their_backend(self, tmp_path):
        backend = self.make()
        for number in range(5):
            launch = self.prepare(tmp_path, "true", key=f"job-{number}")
            backend.launch(launch)
            self.await_end(backend, launch)
        until(lambda: len(_watchers()) <= 2, "each job has one")  # one may just turn idle
        backend.close()
        until(lambda: not _watchers(), "a thread stays")

    def test_many_watches_of_one_job_share_a_thread(self, tmp_path):
        backend = self.make()
        self.launch_waiting(launch := self.prepare(tmp_path, "echo ready; exec sleep 600"), backend)
        for _ in range(20):
            backend.watch(launch, lambda: None)
        until(lambda: len(_watchers()) == 1, "there is more than one")

    def test_an_inherited_file_does_not_reach_the_command(self, tmp_path):
        read, write = os.pipe()
        os.set_inheritable(write, True)
        try:
            launch = self.prepare(tmp_path, "ls /dev/fd/ | sort -n | tr '\\n' ' '")
            self.run(launch)
        finally:
            os.close(read)
            os.close(write)
        assert said(launch).split()[:3] == ["0", "1", "2"]
        assert str(write) not in said(launch).split()[3:]

    def test_a_job_has_a_session_and_a_group_of_its_own(self, tmp_path):
        backend = self.make()
        launch = self.prepare(tmp_path, "echo ready; exec sleep 600")
        pid = self.launch_waiting(launch, backend)
        assert os.getsid(pid) == os.getpgid(pid) == pid != os.getsid(0)
        assert isinstance(backend.look(launch), Alive)


def _watchers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "lazulite-watch"]


@contextmanager
def _group_without_leader() -> Iterator[tuple[int, int]]:
    """Make a session of someone else whose leader is gone: its id, and the pid of a member."""
    code = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={"PATH": os.environ["PATH"]},
    ) as leader:
        orphan = int(leader.stdout.readline())
    try:
        yield leader.pid, orphan
    finally:
        os.kill(orphan, signal.SIGKILL)
