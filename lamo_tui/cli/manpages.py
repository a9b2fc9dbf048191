"""Manual pages: `python -m lamo_tui.cli.manpages DIR` writes one for each command, from the commands themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from typer.main import get_command

from lamo_core import __version__
from lamo_core.errors import LamoError, StorageError, UsageError
from lamo_tui.cli.app import app
from lamo_tui.cli.commands import COMMANDS
from lamo_tui.cli.output import console, say

if TYPE_CHECKING:
    from typer._click import Command, Context

_PLACES = (
    ("LAMO_RUNS", "Folder of runs; runs below the working folder if it is not set."),
    ("LAMO_CACHE", "Folder of what can be made again."),
    ("LAMO_DATA", "Folder of data sets; data in the cache if it is not set."),
    ("LAMO_SOURCES", "File of addresses of published data sets."),
)


def write_pages(folder: Path) -> list[Path]:
    """Write the pages of all commands into a folder and return them; raises `StorageError`."""
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in pages():
            written.append(folder / f"{name}.1")
            written[-1].write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"could not write {folder}: {error.strerror}; choose another folder") from error
    return written


def pages() -> Iterator[tuple[str, str]]:
    """Yield name and text of every page, in the language of man(7): `lamo`, `lamo-runs`, `lamo-runs-show`."""
    yield from _pages(get_command(app), "lamo", None)


def _pages(command: Command, name: str, parent: Context | None) -> Iterator[tuple[str, str]]:
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    parts = _parts(command, context)
    yield context.command_path.replace(" ", "-"), _page(command, context, parts)
    for part_name, part in parts.items():
        yield from _pages(part, part_name, context)


def _parts(command: Command, context: Context) -> dict[str, Command]:
    """Return the commands of a group, in its order."""
    names = command.list_commands(context) if hasattr(command, "list_commands") else []
    found = {name: command.get_command(context, name) for name in names}  # type: ignore[attr-defined]
    return {name: part for name, part in found.items() if part is not None and not part.hidden}


def _page(command: Command, context: Context, parts: dict[str, Command]) -> str:
    path = context.command_path
    title = path.replace(" ", "-")
    lines = [f'.TH {_quoted(title.upper())} 1 "" {_quoted(f"lamo {__version__}")} {_quoted("lamo manual")}']
    lines += [".SH NAME", rf"{_text(title)} \- {_text(_summary(command, path))}"]
    usage = " ".join(piece.strip() for piece in command.collect_usage_pieces(context))
    lines += [".SH SYNOPSIS", f".B {_text(path)}", _text(usage)]
    lines += [".SH DESCRIPTION", *_paragraphs(command.help or "")]
    records = (parameter.get_help_record(context) for parameter in command.get_params(context))
    lines += _table("OPTIONS", [record for record in records if record is not None])
    lines += _table("COMMANDS", [(name, _summary(part, f"{path} {name}")) for name, part in parts.items()])
    lines += _list(command.epilog or "")
    if path == "lamo":
        lines += _table("ENVIRONMENT", list(_PLACES))
    elif context.parent is not None:
        lines += [".SH SEE ALSO", rf".BR {_text(context.parent.command_path.replace(' ', '-'))} (1)"]
    return "\n".join(lines) + "\n"


def _summary(command: Command, path: str) -> str:
    words = path.split(" ")
    if len(words) == 2 and words[1] in COMMANDS:
        return COMMANDS[words[1]].line
    return command.get_short_help_str(200)


def _table(heading: str, rows: list[tuple[str, str]]) -> list[str]:
    if not rows:
        return []
    return [f".SH {heading}", *(line for name, text in rows for line in (".TP", f".B {_text(name)}", _text(text)))]


def _paragraphs(text: str) -> list[str]:
    return "\n.PP\n".join(_text(" ".join(part.split())) for part in text.split("\n\n")).split("\n")


def _list(epilog: str) -> list[str]:
    """Return what stands below a command's help as a list: its examples, one a line, or the exit codes."""
    heading, _, rest = epilog.removeprefix("\b\n").strip().partition(":")
    items = " ".join(rest.split()).split(" · ") if " · " in rest else rest.strip().splitlines()
    return [f".SH {heading.upper()}", ".nf", *(_text(item.strip()) for item in items), ".fi"] if rest else []


def _text(text: str) -> str:
    """Return text that roff sets as it is: no escape, no request at the beginning, and hyphens that can be copied."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped[:1] in (".", "'") else escaped


def _quoted(text: str) -> str:
    return f'"{_text(text)}"'


def main() -> None:
    """Write the pages into the folder that is named, and print where."""
    try:
        if len(sys.argv) != 2:
            raise UsageError("name the folder for the pages: python -m lamo_tui.cli.manpages DIR")
        for page in write_pages(Path(sys.argv[1])):
            say(str(page))
    except LamoError as error:
        console().print(f"lamo: {error}", markup=False)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
