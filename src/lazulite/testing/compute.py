"""The suite that every compute backend passes: subclass `ComputeSuite` and name the backend.

It runs real processes, and waits for events only: a test that hangs fails after `PATIENCE`.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import signal
import sys
import threading
import time
from pathlib import Path

from lazulite.domain.errors import LazuliteError
from lazulite.ports.compute import Alive, ComputeBackend, Ended, Launch, Lost, Sight, Unclaimed
from lazulite.testing.processes import PATIENCE, ComputeCase, is_running, said, until
from lazulite.testing.usage import UsageSuite


class EndingSuite(ComputeCase):
    """How attempts begin and end."""

    def test_an_attempt_that_no_one_launched_is_unclaimed(self, tmp_path: Path) -> None:
        assert self.make().look(self.prepare(tmp_path, "true")) == Unclaimed()

    def test_success_ends_with_zero_and_its_times(self, tmp_path: Path) -> None:
        before = time.time()
        sight = self.run(self.prepare(tmp_path, "true"))
        assert isinstance(sight, Ended)
        assert sight.exit_code == 0
        assert before <= sight.started <= sight.ended <= time.time() + 0.1

    def test_the_exit_code_is_the_commands(self, tmp_path: Path) -> None:
        sight = self.run(self.prepare(tmp_path, "exit 42"))
        assert isinstance(sight, Ended)
        assert sight.exit_code == 42

    def test_death_by_a_signal_is_128_and_its_number(self, tmp_path: Path) -> None:
        sight = self.run(self.prepare(tmp_path, "kill -SEGV $$"))
        assert isinstance(sight, Ended)
        assert sight.exit_code == 128 + signal.SIGSEGV

    def test_an_unknown_program_ends_with_127_and_says_so(self, tmp_path: Path) -> None:
        for number, command in enumerate(("no-such-program", "python0.0 x.py")):
            launch = self.prepare(tmp_path, command, key=f"job-{number}")
            sight = self.run(launch)
            assert isinstance(sight, Ended)
            assert sight.exit_code == 127
            assert "not found" in said(launch)

    def test_a_command_may_have_quotes_newlines_and_unicode(self, tmp_path: Path) -> None:
        launch = self.prepare(
            tmp_path,
            "A='it''s'\nprintf '%s|' \"$A\" \"a \\\"b\\\"\" 'c\\d' 'größe 🙂' `echo e` -n\n\n",
        )
        self.run(launch)
        assert said(launch) == 'its|a "b"|c\\d|größe 🙂|e|-n|'

    def test_a_plain_python_command_gets_its_words(self, tmp_path: Path) -> None:
        (tmp_path / "step.py").write_text("import sys; print(sys.argv)", encoding="utf-8")
        launch = self.prepare(tmp_path, " python3  step.py --a=b\tc/d.e  -f\n")
        self.run(launch)
        assert said(launch) == "['step.py', '--a=b', 'c/d.e', '-f']\n"

    def test_the_command_sees_exactly_the_environment_given(self, tmp_path: Path) -> None:
        given = {"PATH": os.environ["PATH"], "A": "1\n2", "EMPTY": ""}
        odd = given | {"dotted.name": "x y", "BASH_ENV": "none"}
        code = "import os; print('\\n'.join(sorted(map(repr, os.environ.items()))))"
        (tmp_path / "show.py").write_text(code, encoding="utf-8")
        shells_own = ("('PWD',", "('OLDPWD',", "('SHLVL',", "('_',", "('LC_CTYPE',", "('__CF")
        for number, env in enumerate((given, odd)):
            # not `python3`, which may be a script of pyenv
            show = f"{shlex.quote(sys.executable)} show.py"
            for command in (show, f"true; {show}"):
                launch = self.prepare(tmp_path, command, key=f"{number}{len(command)}", env=env)
                self.run(launch)
                lines = [line for line in said(launch).splitlines() if line.startswith("(")]
                seen = [line for line in lines if not line.startswith(shells_own)]
                assert seen == sorted(map(repr, env.items()))

    def test_the_command_reads_nothing_and_works_in_its_folder(self, tmp_path: Path) -> None:
        launch = self.prepare(tmp_path, "cat; pwd -P")
        self.run(launch)
        assert said(launch) == f"{tmp_path.resolve()}\n"

    def test_the_log_grows_while_the_command_runs(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "go")
        backend = self.make()
        launch = self.prepare(tmp_path, "echo ready; read x <go; echo error $x >&2")
        self.launch_waiting(launch, backend)
        (tmp_path / "go").write_text("late\n", encoding="utf-8")
        self.await_end(backend, launch)
        assert said(launch) == "ready\nerror late\n"

    def test_another_attempt_runs_again_and_appends_to_the_log(self, tmp_path: Path) -> None:
        for attempt in (1, 2):
            self.run(self.prepare(tmp_path, f"echo {attempt}", attempt=attempt))
        assert said(self._launches[0]) == "1\n2\n"

    def test_what_the_command_left_in_its_group_ends_with_it(self, tmp_path: Path) -> None:
        launch = self.prepare(tmp_path, "sleep 600 & echo $!")
        sight = self.run(launch)
        assert isinstance(sight, Ended)
        assert sight.exit_code == 0
        until(lambda: not is_running(int(said(launch))), "it was left behind")

    def test_what_cannot_be_launched_is_one_clear_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        nowhere = self.prepare(tmp_path, "true", key="nowhere")
        nul = self.prepare(tmp_path, "echo \0", key="nul")
        long = self.prepare(tmp_path, "true " + "x" * 3_000_000, key="long")
        log = self.prepare(tmp_path, "true", key="log")
        for launch, word in (
            (dataclasses.replace(nowhere, cwd=tmp_path / "gone"), "working directory"),
            (nul, "null byte"),
            (long, "longer than the system allows"),
            (dataclasses.replace(log, log=tmp_path / "file" / "log.txt"), "file/log.txt"),
        ):
            message = self._refusal(launch)
            assert message.startswith(f"job {launch.key}: ")
            assert word in message
            assert self.make().look(launch) == Unclaimed()

    def _refusal(self, launch: Launch) -> str:
        try:
            self.make().launch(launch)
        except LazuliteError as error:
            return error.message
        return "it was launched"


class OnceSuite(ComputeCase):
    """An attempt runs once, whoever launches it, and tells everyone who watches."""

    def test_launched_again_while_it_runs_it_is_the_same_process(self, tmp_path: Path) -> None:
        backend = self.make()
        launch = self.prepare(tmp_path, "echo ready; exec sleep 600")
        pid = self.launch_waiting(launch, backend)
        sight = self.make().launch(launch)
        assert isinstance(sight, Alive)
        assert sight.pid == pid

    def test_launched_again_after_its_end_it_only_tells_how_it_ended(self, tmp_path: Path) -> None:
        launch = self.prepare(tmp_path, "echo run; exit 3")
        ended = self.run(launch)
        assert self.make().launch(launch) == ended
        assert said(launch) == "run\n"

    def test_launched_by_many_at_once_it_runs_once(self, tmp_path: Path) -> None:
        launch = self.prepare(tmp_path, "echo run")
        backends = [self.make(), self.make()] * 4
        start = threading.Barrier(len(backends))
        sights: list[Sight] = []

        def launch_at_once(backend: ComputeBackend) -> None:
            start.wait(PATIENCE)
            sights.append(backend.launch(launch))

        threads = [threading.Thread(target=launch_at_once, args=(each,)) for each in backends]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.await_end(backends[0], launch)
        assert said(launch) == "run\n"
        assert len(sights) == len(backends)
        assert all(isinstance(sight, (Alive, Ended)) for sight in sights)
        assert len({sight.pid for sight in sights if isinstance(sight, Alive)}) <= 1

    def test_every_watcher_is_called_once(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "go")
        launch = self.prepare(tmp_path, "read x <go")
        one, two = self.make(), self.make()
        one.launch(launch)
        calls: list[str] = []
        one.watch(launch, lambda: calls.append("one"))
        one.watch(launch, lambda: calls.append("one again"))
        two.watch(launch, lambda: calls.append("two"))
        (tmp_path / "go").write_text("\n", encoding="utf-8")
        until(lambda: len(calls) >= 3, "a watcher was not called")
        self.await_end(one, launch)  # a second round, which a second call would come before
        self.await_end(two, launch)
        assert sorted(calls) == ["one", "one again", "two"]

    def test_watching_what_does_not_run_calls_back_at_once(self, tmp_path: Path) -> None:
        launch = self.prepare(tmp_path, "true")
        assert self.await_end(self.make(), launch) == Unclaimed()
        ended = self.run(launch)
        assert self.await_end(self.make(), launch) == ended

    def test_a_closed_backend_leaves_its_jobs_and_calls_no_one(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "go")
        launch = self.prepare(tmp_path, "read x <go; exit 5")
        backend, heir, calls = self.make(), self.make(), []
        backend.launch(launch)
        backend.watch(launch, lambda: calls.append("late"))
        backend.close()
        assert isinstance(heir.look(launch), Alive)
        (tmp_path / "go").write_text("\n", encoding="utf-8")
        sight = self.await_end(heir, launch)
        assert isinstance(sight, Ended)
        assert sight.exit_code == 5
        assert calls == []

    def test_there_is_room_for_one_job_at_least(self) -> None:
        capacity = self.make().capacity()
        assert min(capacity.cores, capacity.slots) >= 1
        assert capacity.memory > 0
        assert capacity.gpus >= 0


class StopSuite(ComputeCase):
    """Stopping ends the whole group."""

    def test_stop_lets_the_command_clean_up(self, tmp_path: Path) -> None:
        backend = self.make()
        launch = self.prepare(
            tmp_path, "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done"
        )
        self.launch_waiting(launch, backend)
        backend.stop(launch, grace=PATIENCE)
        sight = self.await_end(backend, launch)
        assert isinstance(sight, Ended)
        assert sight.exit_code == 7
        assert "bye" in said(launch)

    def test_a_command_that_does_not_care_for_term_ends_with_143(self, tmp_path: Path) -> None:
        backend = self.make()
        launch = self.prepare(tmp_path, "echo ready; exec sleep 600")
        self.launch_waiting(launch, backend)
        backend.stop(launch, grace=PATIENCE)
        sight = self.await_end(backend, launch)
        assert isinstance(sight, Ended)
        assert sight.exit_code == 128 + signal.SIGTERM

    def test_a_command_that_ignores_term_is_killed_with_its_children(self, tmp_path: Path) -> None:
        backend = self.make()
        launch = self.prepare(
            tmp_path,
            "trap '' TERM; (sleep 600 & echo $!; sleep 600) & echo $!; echo ready; sleep 600",
        )
        self.launch_waiting(launch, backend)
        until(lambda: len(said(launch).split()) == 3, "the grandchild did not begin")
        backend.stop(launch, grace=0.05)
        sight = self.await_end(backend, launch)
        assert isinstance(sight, Ended)
        assert sight.exit_code == 128 + signal.SIGKILL
        pids = [int(word) for word in said(launch).split() if word.isdigit()]
        until(lambda: not any(map(is_running, pids)), "a child lives")

    def test_stop_finds_children_in_groups_of_their_own(self, tmp_path: Path) -> None:
        backend = self.make()
        launch = self.prepare(tmp_path, "set -m; sleep 600 & echo $! ready; wait; sleep 600")
        self.launch_waiting(launch, backend)
        pid = int(next(word for word in said(launch).split() if word.isdigit()))
        backend.stop(launch, grace=0.05)
        self.await_end(backend, launch)
        until(lambda: not is_running(pid), "the child lives")

    def test_stopping_what_does_not_run_does_nothing(self, tmp_path: Path) -> None:
        backend, launch = self.make(), self.prepare(tmp_path, "exit 3")
        backend.stop(launch, grace=0)
        assert backend.look(launch) == Unclaimed()
        ended = self.run(launch)
        backend.stop(launch, grace=0)
        assert backend.look(launch) == ended

    def test_stopping_twice_does_not_put_off_the_kill(self, tmp_path: Path) -> None:
        backend = self.make()
        launch = self.prepare(tmp_path, "trap '' TERM; echo ready; sleep 600; sleep 600")
        self.launch_waiting(launch, backend)
        backend.stop(launch, grace=0.05)
        backend.stop(launch, grace=600)
        assert isinstance(self.await_end(backend, launch), Ended)


class SurvivalSuite(ComputeCase):
    """Jobs outlive the server that launched them."""

    def test_a_job_survives_the_kill_of_its_server_and_is_adopted(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "go")
        launch = self.prepare(tmp_path, "echo ready; read x <go; exit 5")
        with self.launch_elsewhere(launch) as server:
            until(lambda: "ready" in said(launch), "it did not begin")
            server.kill()
        backend, gone = self.make(), threading.Event()
        assert isinstance(backend.look(launch), Alive)
        backend.watch(launch, gone.set)
        (tmp_path / "go").write_text("\n", encoding="utf-8")
        assert gone.wait(PATIENCE)
        sight = backend.look(launch)
        assert isinstance(sight, Ended)
        assert sight.exit_code == 5

    def test_an_adopted_job_can_be_stopped(self, tmp_path: Path) -> None:
        launch = self.prepare(tmp_path, "trap '' TERM; echo ready; sleep 600; sleep 600")
        with self.launch_elsewhere(launch) as server:
            until(lambda: "ready" in said(launch), "it did not begin")
            server.kill()
        backend = self.make()
        backend.stop(launch, grace=0.05)
        sight = self.await_end(backend, launch)
        assert isinstance(sight, Ended)
        assert sight.exit_code == 128 + signal.SIGKILL

    def test_a_job_that_ended_while_no_server_ran_is_collected(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "go")
        launch = self.prepare(tmp_path, "echo ready; read x <go; echo done; exit 6")
        with self.launch_elsewhere(launch) as server:
            until(lambda: "ready" in said(launch), "it did not begin")
            server.kill()
        (tmp_path / "go").write_text("\n", encoding="utf-8")
        sight = self.await_end(self.make(), launch)
        assert isinstance(sight, Ended)
        assert sight.exit_code == 6

    def test_a_job_whose_processes_were_all_killed_is_lost(self, tmp_path: Path) -> None:
        backend = self.make()
        launch = self.prepare(tmp_path, "echo ready; sleep 600; true")
        os.killpg(self.launch_waiting(launch, backend), signal.SIGKILL)
        sight = self.await_end(backend, launch)
        assert isinstance(sight, Lost)
        assert "killed" in sight.reason
        assert sight.started is not None
        assert isinstance(backend.launch(launch), Lost)


class ComputeSuite(EndingSuite, OnceSuite, StopSuite, SurvivalSuite, UsageSuite):
    """Everything the port promises. Subclass it, and set `entry`."""
