"""Writing the settings file: what is not changed stays, and a file that cannot be changed stays whole."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from lamo_core.errors import StorageError, UsageError
from lamo_tui.state.settings import Settings, load_settings
from lamo_tui.state.settings_file import write_settings

HAND_MADE = """\
# my settings
theme = "nord"  # at night

[keymap]
# stop far away
"runs.stop" = "S"  # never by chance
'runs.pause' = "ctrl+z"

[notes]
of_mine = [1, 2]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(HAND_MADE)
    return path


def test_a_file_is_made_with_a_word_about_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    write_settings({("theme",): "nord", ("ascii",): True, ("keymap", "runs.stop"): "S"}, path)
    assert path.read_text().startswith("# Settings of lamo")
    assert load_settings(path) == Settings("nord", {"runs.stop": "S"}, True)
    write_settings({("theme",): None, ("ascii",): None, ("keymap", "runs.stop"): None}, path)
    assert load_settings(path) == Settings()


def test_comments_order_and_foreign_entries_stay(file: Path) -> None:
    write_settings({("theme",): "lamo-light", ("keymap", "runs.stop"): "ctrl+s", ("keymap", "runs.pause"): None}, file)
    changed = HAND_MADE.replace('"nord"', '"lamo-light"').replace('"S"', '"ctrl+s"')
    assert file.read_text() == changed.replace("'runs.pause' = \"ctrl+z\"\n", "")
    write_settings({("ascii",): True, ("keymap", "runs.sort"): "O"}, file)
    lines = file.read_text().splitlines()
    assert lines[2] == "ascii = true"
    assert lines[lines.index("[notes]") - 2] == '"runs.sort" = "O"'
    assert tomllib.loads(file.read_text())["notes"] == {"of_mine": [1, 2]}


@pytest.mark.parametrize(
    "text",
    [
        'keymap = { "runs.stop" = "S" }\ntheme = "nord"\n',
        "keymap.\"runs.stop\" = \"S\"\n\"theme\" = '''nord'''\n",
        'text = """\n[keymap]\ntheme = 3\n"""\ntheme = "nord"\n[keymap]\n"runs.stop" = "S"\n',
        'day = 2026-01-02T03:04:05\ndeep = [{ a = "b\\n", h = 0.5 }]\n[keymap]\n"runs.stop" = "S"\n[a.b]\nc = true\n',
    ],
)
def test_other_forms_keep_their_values(text: str, file: Path) -> None:
    file.write_text(text)
    before = tomllib.loads(text)
    write_settings({("theme",): "gruvbox", ("keymap", "runs.stop"): 'a"\\'}, file)
    wanted = before | {"theme": "gruvbox", "keymap": {"runs.stop": 'a"\\'}}
    assert tomllib.loads(file.read_text()) == wanted


def test_nothing_new_is_not_written(file: Path) -> None:
    file.chmod(0o444)
    write_settings({("theme",): "nord", ("keymap", "runs.sort"): None}, file)
    assert file.read_text() == HAND_MADE


def test_a_read_only_file_stays(file: Path) -> None:
    file.chmod(0o444)
    with pytest.raises(StorageError, match="it is read-only"):
        write_settings({("theme",): "gruvbox"}, file)
    assert file.read_text() == HAND_MADE


def test_a_damaged_file_stays(file: Path) -> None:
    file.write_text("theme = ")
    with pytest.raises(UsageError, match="is not valid TOML"):
        write_settings({("theme",): "gruvbox"}, file)
    assert file.read_text() == "theme = "


def test_a_place_that_is_none_is_a_sentence(file: Path) -> None:
    with pytest.raises(StorageError, match="could not write"):
        write_settings({("theme",): "gruvbox"}, file / "config.toml")


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    write_settings({("theme",): "gruvbox"}, link)
    assert link.is_symlink()
    assert load_settings_theme(file) == "gruvbox"
    assert list(tmp_path.glob("*.part")) == []


def load_settings_theme(file: Path) -> object:
    return tomllib.loads(file.read_text())["theme"]
