"""`lamo settings`: what the Settings screen does, for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lamo_core.errors import UsageError
from lamo_tui.cli.app import run
from lamo_tui.state.settings import Settings, load_settings


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("LAMO_CONFIG", str(path))
    return path


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert run(["settings", *words, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert isinstance(value, dict)
    return value


def test_settings_are_shown_set_and_unset(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = shown(capsys)
    assert value["file"] == str(config)
    assert not value["exists"]
    assert shown(capsys, "set", "theme", "nord")["changed"] == {"theme": "nord"}
    assert shown(capsys, "set", "ascii", "true")["changed"] == {"ascii": True}
    assert shown(capsys, "set", "runs.stop", "S, ctrl+x")["changed"] == {"runs.stop": "S,ctrl+x"}
    assert load_settings(config) == Settings("nord", {"runs.stop": "S,ctrl+x"}, True)
    assert run(["settings"]) == 0
    out = capsys.readouterr().out
    (line,) = (line for line in out.splitlines() if line.startswith("runs.stop"))
    assert line.split()[:4] == ["runs.stop", "S,ctrl+x", "s", "*"]
    for name in ("theme", "ascii", "runs.stop"):
        assert shown(capsys, "unset", name)["changed"] == {name: None}
    assert load_settings(config) == Settings()


def test_two_actions_swap_when_told_to(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match=r"p is taken by pause \(runs\.pause\); add --swap"):
        run(["settings", "set", "runs.stop", "p"])
    assert not config.exists()
    both = shown(capsys, "set", "runs.stop", "p", "--swap")["changed"]
    assert both == {"runs.stop": "p", "runs.pause": "s"}
    with pytest.raises(UsageError, match="add --swap"):
        run(["settings", "unset", "runs.stop"])
    assert shown(capsys, "unset", "runs.stop", "--swap")["changed"] == {"runs.stop": None, "runs.pause": None}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("set", "them", "nord"), "did you mean 'theme'"),
        (("unset", "runs.stpo"), "did you mean 'runs.stop'"),
        (("set", "theme", "nrod"), "did you mean 'nord'"),
        (("set", "ascii", "perhaps"), "true or false"),
        (("set", "runs.stop", ""), "wants a key"),
        (("set", "runs.stop", "escape"), "esc stays"),
    ],
)
def test_wrong_names_and_values_are_a_sentence(words: tuple[str, ...], said: str, config: Path) -> None:
    with pytest.raises(UsageError, match=said) as error:
        run(["settings", *words])
    assert error.value.exit_code == 2
    assert not config.exists()
