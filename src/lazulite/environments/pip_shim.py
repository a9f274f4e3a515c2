"""A `pip` that may look but not touch: an environment is shared by every job that names it."""

from __future__ import annotations

from pathlib import Path

# Without it, `pip` in a job's command would be found further down PATH, and would change that one.
_SHIM = """\
#!/bin/sh
case " $* " in
  *" install "* | *" uninstall "*)
    echo "pip: this environment is shared by every job that names it, so a job cannot change it:" \\
      "put the packages into its conda_file" >&2
    exit 1
    ;;
esac
exec "$(dirname "$0")/python" -m pip "$@"
"""


def install_shim(bin_folder: Path) -> None:
    """Put the shim in the place of `pip` and `pip3`."""
    for name in ("pip", "pip3"):
        path = bin_folder / name
        path.unlink(missing_ok=True)  # it may be a hard link into uv's cache
        path.write_text(_SHIM, "utf-8")
        path.chmod(0o755)
