"""Commands start fast because they import little."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "alembic", "azure", "blake3", "cryptography", "fsspec", "httpx", "jmespath", "msgspec",
    "pathspec", "psutil", "rich", "sqlalchemy", "starlette", "uvicorn", "yaml", "http.client",
)  # fmt: skip
SCRIPT = """
import sys
from lazulite.cli.program import run
code = run(sys.argv[1:])
sys.stderr.write("MODULES " + " ".join(sys.modules))
sys.exit(code)
"""


def modules_of(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words], capture_output=True, text=True, check=False
    )
    return set(done.stderr.rpartition("MODULES ")[2].split())


@pytest.mark.parametrize("words", [["--help"], ["job", "--help"], ["job", "create", "--help"],
                                   ["environment", "--help"], ["up", "--help"]])  # fmt: skip
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    modules = modules_of(*words)
    assert "click" in modules
    assert modules.isdisjoint(HEAVY)


def test_a_list_imports_no_server_and_no_yaml() -> None:
    modules = modules_of("job", "list", "--help")
    assert "lazulite.cli.job_query" in modules
    assert not {name for name in modules if name.startswith(("lazulite.wire", "lazulite.store"))}
    assert "lazulite.cli.job_submit" not in modules


def test_a_file_that_was_read_before_needs_no_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAZULITE_HOME", str(tmp_path / "home"))
    file = tmp_path / "job.yml"
    file.write_text("command: echo\nenvironment: azureml:e:1\ninputs: {x: 1}\n")
    words = ("job", "validate", "-f", str(file), "--set", "inputs.x=a/b.txt")
    assert "yaml" in modules_of(*words)
    assert {"yaml", "msgspec", "http.client", "subprocess"}.isdisjoint(modules_of(*words))


def test_showing_a_job_needs_no_yaml() -> None:
    script = "import sys, lazulite.formats.yaml.shown_job; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not {"yaml", "msgspec"} & set(done.stdout.split())
