"""What every implementation of the `Environments` port must do."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest

from lazulite.domain.errors import InvalidInput, NotFound
from lazulite.ports.environments import BuildCanceled, Environments, EnvironmentSpec


class EnvironmentsSuite:
    """Subclass it: `make` gives an empty implementation, the three specifications what it eats."""

    def make(self, folder: Path) -> Environments:
        raise NotImplementedError

    def good(self, folder: Path) -> EnvironmentSpec:
        """A specification that can be built."""
        raise NotImplementedError

    def broken(self, folder: Path) -> EnvironmentSpec:
        """A specification that `plan` takes and `build` cannot build."""
        raise NotImplementedError

    def refused(self) -> EnvironmentSpec:
        """A specification that `plan` refuses."""
        return EnvironmentSpec(name="refused", build=True)

    def test_a_plan_touches_nothing_and_does_not_look_at_the_name(self, tmp_path: Path) -> None:
        environments, spec = self.make(tmp_path / "envs"), self.good(tmp_path)
        renamed = msgspec.structs.replace(spec, name="another")
        assert environments.plan(spec) == environments.plan(renamed)
        assert not (tmp_path / "envs").exists()

    def test_a_refused_specification_is_neither_planned_nor_built(self, tmp_path: Path) -> None:
        environments = self.make(tmp_path / "envs")
        with pytest.raises(InvalidInput, match="refused"):
            environments.plan(self.refused())
        with pytest.raises(InvalidInput, match="refused"):
            environments.build(self.refused(), tmp_path / "log", cancel=threading.Event())

    def test_it_is_ready_only_once_it_is_built(self, tmp_path: Path) -> None:
        environments, spec = self.make(tmp_path / "envs"), self.good(tmp_path)
        key = environments.plan(spec)
        assert environments.ready(key) is None
        prefix = environments.build(spec, tmp_path / "log", cancel=threading.Event())
        assert environments.ready(key) == prefix
        assert (prefix.bin / "python").exists()

    def test_a_second_build_gives_the_first_one_back(self, tmp_path: Path) -> None:
        environments, spec = self.make(tmp_path / "envs"), self.good(tmp_path)
        first = environments.build(spec, tmp_path / "log", cancel=threading.Event())
        again = environments.build(spec, tmp_path / "log2", cancel=threading.Event())
        assert again == first

    def test_a_build_writes_its_log(self, tmp_path: Path) -> None:
        environments, spec = self.make(tmp_path / "envs"), self.good(tmp_path)
        environments.build(spec, tmp_path / "logs" / "build.txt", cancel=threading.Event())
        assert (tmp_path / "logs" / "build.txt").read_text()

    def test_a_failed_build_says_why_and_is_not_kept(self, tmp_path: Path) -> None:
        environments, spec = self.make(tmp_path / "envs"), self.broken(tmp_path)
        with pytest.raises(InvalidInput, match=spec.name) as caught:
            environments.build(spec, tmp_path / "log", cancel=threading.Event())
        assert caught.value.facts["code"] == "EnvironmentError"
        assert caught.value.facts["log_tail"]
        assert environments.ready(environments.plan(spec)) is None
        assert environments.cached() == []

    def test_a_canceled_build_leaves_nothing(self, tmp_path: Path) -> None:
        environments, spec = self.make(tmp_path / "envs"), self.good(tmp_path)
        cancel = threading.Event()
        cancel.set()
        with pytest.raises(BuildCanceled):
            environments.build(spec, tmp_path / "log", cancel=cancel)
        assert environments.ready(environments.plan(spec)) is None

    def test_what_is_cached_is_listed_and_can_be_removed(self, tmp_path: Path) -> None:
        environments, spec = self.make(tmp_path / "envs"), self.good(tmp_path)
        key = environments.plan(spec)
        environments.build(spec, tmp_path / "log", cancel=threading.Event())
        [entry] = environments.cached()
        assert (entry.key, entry.name) == (key, spec.name)
        assert entry.size > 0
        assert environments.remove(key) > 0
        assert environments.cached() == []
        assert environments.ready(key) is None

    def test_what_is_not_cached_cannot_be_removed(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound):
            self.make(tmp_path / "envs").remove("../../etc")

    def test_variables_come_back_with_the_prefix(self, tmp_path: Path) -> None:
        environments = self.make(tmp_path / "envs")
        spec = msgspec.structs.replace(self.good(tmp_path), variables={"MODE": "fast"})
        prefix = environments.build(spec, tmp_path / "log", cancel=threading.Event())
        assert prefix.variables["MODE"] == "fast"
        assert environments.ready(prefix.key) == prefix
