"""The README and the docs: commands that exist, links that lead somewhere, short sentences, sizes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamo_tui.cli.commands import COMMANDS, load

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LONGEST_SENTENCE = 35
"""Words."""


def _names(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


def _prose(text: str) -> Iterator[str]:
    """Yield paragraphs and list items: no code blocks, tables, headings, pictures or generated parts."""
    text = re.sub(r"<!-- (\S+):start -->.*?<!-- \1:end -->", "", text, flags=re.S)
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(("|", "#", "!", "<"))]
    yield from re.split(r"\n\s*\n|\n\s*(?:- |\d+\. )", "\n".join(lines))


def _commands(text: str) -> Iterator[list[str]]:
    """Yield the words of every `lamo …` in code, up to a pipe, a comment or the next command."""
    blocks = re.findall(r"```(?:bash|sh|console)?\n(.*?)```", text, flags=re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    for code in [*lines, *re.findall(r"`(lamo [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.S).replace("\n", " "))]:
        for part in re.split(r"&&| · |   +", code):
            found = re.search(r"(?:^|/)lamo (.*)", part.strip())
            if found and not found[1].startswith("COMMAND"):
                yield shlex.split(re.sub(r"…|#.*", "", found[1]))


@pytest.mark.parametrize("page", PAGES, ids=_names(PAGES))
def test_commands_and_their_options_exist(page: Path) -> None:
    for words in _commands(page.read_text()):
        if not words or words[0].startswith("-"):
            continue
        assert words[0] in COMMANDS, words
        command = load(words[0])
        rest = words[1:]
        while rest and rest[0] in getattr(command, "commands", {}):
            command, rest = command.commands[rest[0]], rest[1:]  # type: ignore[attr-defined]
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        used = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
        assert used <= known | {"--help", "-h"}, f"{page.name}: lamo {' '.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=_names(PAGES))
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=_names(PAGES))
def test_sentences_are_short(page: Path) -> None:
    for paragraph in _prose(page.read_text()):
        for sentence in re.split(r"(?<=[.!?:;])\s+", re.sub(r"`[^`]*`", "CODE", paragraph)):
            assert len(sentence.split()) <= LONGEST_SENTENCE, f"{page.name}: {sentence}"


def test_the_readme_is_a_page() -> None:
    assert (ROOT / "README.md").stat().st_size <= 10_240


def test_the_readmes_python_is_the_snippet_that_the_tests_of_the_interface_run() -> None:
    first = [
        re.search(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S) for page in ("README.md", "docs/python.md")
    ]
    assert first[0] is not None
    assert first[1] is not None
    assert first[0][1] == first[1][1]
    assert len(first[0][1].splitlines()) <= 12
