# One word per task; `just` lists them. Everything runs in .venv (`just setup` makes it).

export PATH := justfile_directory() / ".venv/bin" + ":" + env_var("PATH")

_list:
    @just --list

# make .venv with the locked dependencies and lazulite, editable
setup:
    python3 -m venv .venv
    pip install -r requirements/dev.lock
    pip install --no-deps -e .

# style, types, layers
lint:
    ruff check .
    ruff format --check .
    mypy
    lint-imports

# the quick tests; `just test -m slow` for the slow ones
test *ARGS='-m "not slow"':
    pytest -n 2 --dist loadgroup {{ ARGS }}

# the quick part of what CI runs
check: lint test

# all that CI runs, in a virtual environment of its own
ci:
    .ci/run

# a server in the foreground
serve:
    lazulite up

# the site, with reload
docs:
    mkdocs serve

# write docs/reference/commands.md anew from the program
commands:
    python -m tests.docs_commands

# the table of speeds
bench *ARGS:
    python -m tests.bench {{ ARGS }}

# write requirements/*.lock anew from pyproject.toml
lock:
    uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --upgrade --custom-compile-command "just lock" --extra postgres --group dev pyproject.toml -o requirements/dev.lock
    uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --upgrade --custom-compile-command "just lock" --extra postgres pyproject.toml -o requirements/run.lock
