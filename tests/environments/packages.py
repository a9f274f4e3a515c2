"""Tiny packages made on the spot, so that real builds need no network."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

from lazulite.environments.host import Host, this_host
from lazulite.ports.environments import EnvironmentSpec

_BACKEND = """
import os, shutil, time
from pathlib import Path

def build_wheel(folder, config_settings=None, metadata_directory=None):
    with open({runs!r}, "a") as runs:
        runs.write("x")
    if not os.path.exists({go!r}):
        with open({fifo!r}, "w") as fifo:
            fifo.write(str(os.getpid()))
        while not os.path.exists({go!r}):
            time.sleep(0.02)
    return shutil.copy({wheel!r}, folder) and {wheel!r}.rsplit("/", 1)[-1]
"""


def write_wheel(folder: Path, name: str, version: str = "1.0") -> Path:
    """Write a wheel of one module that knows its version."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    members = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*members, f"{info}/RECORD"])
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**members, f"{info}/RECORD": record}.items():
            archive.writestr(member, text)
    return path


class Slow:
    """A source package whose build tells its process id through `fifo`, then waits for `go`."""

    def __init__(self, folder: Path) -> None:
        self.index = folder / "slow-index"
        self.fifo = folder / "fifo"
        self.go = folder / "go"
        self.runs = folder / "runs"  # one letter for each time the build was begun
        self.index.mkdir(parents=True)
        wheel = write_wheel(folder / "slow-wheel", "slow")
        backend = _BACKEND.format(
            runs=str(self.runs), go=str(self.go), fifo=str(self.fifo), wheel=str(wheel)
        )
        project = (
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            '[project]\nname = "slow"\nversion = "1.0"\n'
        )
        files = {
            "backend.py": backend,
            "pyproject.toml": project,
            "PKG-INFO": "Metadata-Version: 2.2\nName: slow\nVersion: 1.0\n",
        }
        with tarfile.open(self.index / "slow-1.0.tar.gz", "w:gz") as archive:
            for name, text in files.items():
                member = tarfile.TarInfo(f"slow-1.0/{name}")
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))

    @property
    def spec(self) -> EnvironmentSpec:
        """An environment that holds this package."""
        return offline("slow", self.index, "slow")


def offline(name: str, index: Path, *requirements: str) -> EnvironmentSpec:
    """An environment whose packages come from a folder alone."""
    lines = "".join(f"    - {requirement}\n" for requirement in requirements)
    conda = f"dependencies:\n- pip:\n    - --no-index\n    - --find-links {index}\n{lines}"
    return EnvironmentSpec(name=name, conda=conda)


def lonely_host(folder: Path, **environ: str) -> Host:
    """This machine without network, with a cache of uv of its own and no settings of the user."""
    here = this_host()
    settings = {
        "HOME": str(folder),
        "PATH": here.environ["PATH"],
        "UV_CACHE_DIR": str(folder / "uv-cache"),
        "UV_OFFLINE": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    return Host(
        python=here.python,
        version=here.version,
        platform=here.platform,
        environ=settings | environ,
    )
