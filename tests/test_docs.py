"""What the pages say is so: links lead somewhere, blocks parse, commands exist, none is missing."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from mkdocs_nav import SECTIONS

from tests.docs_commands import PAGE as COMMANDS
from tests.docs_commands import leaves, page, root
from tests.docs_pages import ALL, PAGES, ROOT, Block, Command, blocks, commands, missing_line

BLOCKS = [block for page in ALL for block in blocks(page)]
LANGUAGES = {"console", "sh", "yaml", "python", "json", "text", "csv", "toml", "dockerfile", ""}
TUTORIALS = sorted((ROOT / "docs" / "tutorial").glob("*.md"))
WORDS = "\n".join(page.read_text() for page in PAGES)


def test_every_page_is_in_a_section_of_the_site() -> None:
    folders = {page.relative_to(ROOT / "docs").parts[0].capitalize() for page in PAGES}
    assert folders - {"Index.md"} == set(SECTIONS)


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_every_block_is_what_it_says(block: Block) -> None:
    assert block.language in LANGUAGES, f"{block.where}: no such language here"
    if block.language == "yaml":
        list(yaml.safe_load_all(block.text))
    elif block.language == "json":
        json.loads(block.text)
    elif block.language == "python":
        ast.parse(block.text)
    elif block.language == "console":
        assert block.text.startswith("$ "), f"{block.where}: a session begins with a command"


def _invocations() -> Iterator[tuple[str, list[str]]]:
    """Yield (where, words) of every `lazulite ...` in a shell block."""
    for block in BLOCKS:
        if block.language in ("console", "sh"):
            text = re.sub(r"\\\n>? ?", " ", block.text)
            for words in re.findall(r"(?:^|[\s/(])lazulite +([a-z-][^|;&)\n]*)", text):
                yield block.where, shlex.split(words, comments=True)


def test_every_command_that_a_page_shows_exists_with_its_flags() -> None:
    for where, words in _invocations():
        command: click.Command = root()
        rest = list(words)
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            found = command.get_command(click.Context(command), rest[0])
            assert found is not None, f"{where}: no command {rest[0]!r} in {words}"
            command = found
            del rest[0]
        known = {flag for p in command.params for flag in (*p.opts, *p.secondary_opts)}
        flags = {word.split("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
        assert flags <= known | {"--help", "-h", "--version"}, f"{where}: {words}"


def test_the_page_of_commands_is_what_the_program_says() -> None:
    assert COMMANDS.read_text() == page(), "run `just commands`"


@pytest.mark.parametrize(("path", "command"), list(leaves(root())), ids=str)
def test_every_command_and_flag_has_words(path: tuple[str, ...], command: click.Command) -> None:
    assert command.help or command.short_help
    silent = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert silent == [], " ".join(path)


def test_every_setting_is_documented_and_none_is_made_up() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    known = set(re.findall(r"[\"'](LAZULITE_[A-Z_]+)[\"']", source))
    named = {word for word in re.findall(r"\bLAZULITE_[A-Z_]+\b", WORDS) if "_TEST_" not in word}
    assert known - named == set()
    assert named - known == set()


def test_every_error_code_is_documented() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    codes = set(re.findall(r"\bcode ?= ?\"([A-Z]\w+)\"", source))
    assert {code for code in codes if f"`{code}`" not in WORDS} == set()


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 6, 7, 130])
def test_every_exit_code_is_documented(code: int) -> None:
    assert re.search(rf"^\| {code} \|", WORDS, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_prints_what_it_shows(page: Path, tmp_path: Path) -> None:
    """Write its titled blocks as files and run its sessions, in the order of the page."""
    script, session = ["exec 2>&1"], []
    for number, block in enumerate(blocks(page)):
        if block.title:
            kept = tmp_path / "blocks" / str(number)
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(block.text)
            script.append(f'mkdir -p "$(dirname {block.title})"; cp {kept} {block.title}')
        elif block.language == "console":
            for command in commands(block):
                script += [command.text, r"printf '\n=== %d\n' $?"]
                session.append(command)
    (tmp_path / "work").mkdir()
    environ = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LAZULITE_HOME": str(tmp_path / "home"),
        "LAZULITE_HTTP_PORT": "0",
        "LAZULITE_HTTPS_PORT": "0",
    }
    try:
        printed = subprocess.run(
            ["bash", "-c", "\n".join(script)],
            cwd=tmp_path / "work", env=environ, capture_output=True, text=True, check=True,
            stdin=subprocess.DEVNULL,
        ).stdout  # fmt: skip
    finally:
        down = [Path(sys.executable).with_name("lazulite"), "down"]
        subprocess.run(down, env=environ, check=False, capture_output=True)
    print(printed)
    for command, part in zip(session, re.split(r"\n=== (?=\d)", printed)[1:], strict=True):
        assert part.splitlines()[0] == "0", f"{command.block.where}: {command.text}"
    for command, text in zip(session, _outputs(printed), strict=True):
        lost = missing_line(command.shown, text)
        assert lost is None, f"{command.block.where}: {command.text}\nnot printed: {lost}\n{text}"


def _outputs(printed: str) -> list[str]:
    """What each command of the session printed."""
    return re.split(r"\n=== \d+\n", printed)[:-1]


def test_a_shown_line_must_be_printed_in_its_order() -> None:
    assert missing_line(("a … c", "…", "last"), "a  b c\nx\nlast\n") is None
    assert missing_line(("last", "a b c"), "a b c\nlast\n") == "a b c"


def test_a_session_is_split_at_its_prompts() -> None:
    text = "$ one \\\n> two\nout\n$ three\n"
    block = Block(page=ROOT / "x.md", line=1, language="console", title=None, text=text)
    assert commands(block) == [
        Command(block, "one \\\ntwo", ("out",)),
        Command(block, "three", ()),
    ]
