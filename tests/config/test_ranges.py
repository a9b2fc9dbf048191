"""Every number among the settings has a range, declared where the field is, and a line that says what it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

from lamo_core.config import RunConfig, field_names
from lamo_core.errors import UsageError
from lamo_core.language.pretrain_events import PretrainConfig
from lamo_core.settings.field_docs import field_docs
from lamo_core.settings.presets import preset_names, resolve
from lamo_core.settings.strict import Range, check_ranges, ranges
from lamo_tui.cli import completion
from lamo_tui.cli.app import app
from lamo_tui.screens.run.run_panels import setting_whole
from lamo_tui.state.snapshot import RunData

CONFIGS = (RunConfig, PretrainConfig)
RANGES = {(config, name): allowed for config in CONFIGS for name, allowed in ranges(config).items()}
WRONG = (math.nan, math.inf, -math.inf)


def leaves(cls: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every field of nested data classes with its type."""
    hints = get_type_hints(cls)
    for field in fields(cls):
        hint = hints[field.name]
        if is_dataclass(hint):
            yield from leaves(hint, f"{prefix}{field.name}.")  # type: ignore[arg-type]
        else:
            yield prefix + field.name, hint


def holds_numbers(hint: Any) -> bool:
    """Return whether a field of this type holds numbers, alone or in a list."""
    return hint in (int, float) or (get_origin(hint) is not None and any(map(holds_numbers, get_args(hint))))


@pytest.mark.parametrize("config", CONFIGS)
def test_no_number_is_without_a_range(config: type) -> None:
    numbers = {name for name, hint in leaves(config) if holds_numbers(hint)}
    assert numbers == set(ranges(config))
    assert all(math.isfinite(allowed.low) and math.isfinite(allowed.high) for allowed in ranges(config).values())


def with_value(name: str, value: Any) -> dict[str, Any]:
    values: dict[str, Any] = RunConfig().to_dict()
    *groups, leaf = name.split(".")
    group = values
    for part in groups:
        group = group[part]
    group[leaf] = [value] if isinstance(group[leaf], list) else value
    return values


@pytest.mark.parametrize("name", ranges(RunConfig))
def test_what_is_outside_of_a_range_is_refused_in_a_sentence(name: str) -> None:
    allowed, whole = ranges(RunConfig)[name], dict(leaves(RunConfig))[name] is int
    step = 1 if whole else 1e-9 + abs(allowed.high) * 1e-9
    outside = [allowed.high + step if math.isfinite(allowed.high + step) else 1e301, allowed.low - step, -1e305, 1e305]
    if allowed.above:
        outside.append(allowed.low)
    for value in [int(value) for value in outside[:2]] if whole else [*outside, *WRONG]:
        with pytest.raises(UsageError, match=name) as caught:
            RunConfig.from_dict(with_value(name, value))
        assert "\n" not in str(caught.value)
    if whole:
        for value in WRONG:
            with pytest.raises(UsageError, match=f"{name} wants a whole number"):
                RunConfig.from_dict(with_value(name, value))


def test_the_ends_of_a_range_are_allowed() -> None:
    closed = Range(1, 3)
    assert [closed.holds(value) for value in (1, 2, 3, 0.999, 3.001, *WRONG)] == [True] * 3 + [False] * 5
    half = Range(0, 1, above=True)
    assert [half.holds(value) for value in (0, 1e-9, 1)] == [False, True, True]


def test_defaults_and_presets_lie_within_their_ranges() -> None:
    for preset in preset_names():
        check_ranges(resolve(preset).config)
    check_ranges(PretrainConfig())


@pytest.mark.parametrize("alpha", ["-32", "0", "999999999999", "1e12", "nan", "inf"])
def test_adapters_have_a_positive_weight(alpha: str) -> None:
    done = CliRunner().invoke(app, ["train", "--preset", "mujoco-hopper-1pct", "--set", f"model.lora_alpha={alpha}"])
    assert isinstance(done.exception, UsageError)
    assert "model.lora_alpha" in str(done.exception)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
def test_no_file_and_no_flag_brings_a_number_that_is_none(value: str, tmp_path: Path) -> None:
    written = {"1e999": "inf"}.get(value, value)
    (tmp_path / "mine.toml").write_text(f"[optim]\nlearning_rate = {written}\n")
    words = [["--config", str(tmp_path / "mine.toml")], ["--ratio", value]]
    words += [["--set", f"{name}={value}"] for name in ("optim.clip", "eval.targets", "data.ratio", "value.discount")]
    for option in words:
        done = CliRunner().invoke(app, ["train", "--preset", "mujoco-hopper-1pct", *option, "--dry-run"])
        assert isinstance(done.exception, UsageError), option


@pytest.mark.parametrize("name", ranges(PretrainConfig))
def test_pretraining_refuses_them_too(name: str) -> None:
    allowed = ranges(PretrainConfig)[name]
    for value in (allowed.low - 1, *WRONG):
        with pytest.raises(UsageError, match=name):
            check_ranges(replace(PretrainConfig(), **{name: value}))


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        yield (*path, name), command
        if hasattr(command, "list_commands"):
            yield from commands(command, (*path, name))


def is_float(option: Any) -> bool:
    # versions of typer keep the type in different places
    return "float" in f"{getattr(option, 'type_descriptor', '')} {getattr(option, 'type', '')}".lower()


def test_no_option_takes_a_number_that_is_none() -> None:
    every = [(path, option) for path, command in commands(typer.main.get_command(app)) for option in command.params]
    floats = [(path, option.opts[0]) for path, option in every if is_float(option)]
    assert len(floats) >= 7
    for path, option in floats:
        for text in ("nan", "inf"):
            words = [*path, *(["last"] if path == ("stop",) else []), option, text]
            done = CliRunner().invoke(app, words)
            assert done.exit_code == 2, (path, option, done.output)
            assert f"Invalid value for '{option}'" in done.output, (path, option, done.output)


@pytest.mark.parametrize("config", CONFIGS)
def test_every_setting_is_explained_in_a_line(config: type) -> None:
    docs = field_docs(config)
    assert set(docs) == {name for name, _ in leaves(config)}
    assert all(0 < len(text) < 250 and "\n" not in text and not text.endswith(".") for text in docs.values())
    assert docs.get("task.sticky_actions", "(Machado et al. 2018)").endswith("(Machado et al. 2018)")


def test_settings_are_listed_with_what_they_are() -> None:
    text = CliRunner().invoke(app, ["presets", "show", "atari-pong-1pct"]).stdout
    docs = field_docs(RunConfig)
    for name, line in zip(field_names(), text.splitlines(), strict=True):
        assert line.startswith(name)
        assert line.endswith(docs[name])
    assert completion.settings("optim.ba") == [("optim.batch_size=", docs["optim.batch_size"])]
    data = RunData.__new__(RunData)
    object.__setattr__(data, "info", {"config": {"optim": {"clip": 3.0}}, "origins": {"optim.clip": "--set"}})
    assert setting_whole(data, "optim.clip").splitlines() == ["3.0   (--set)", docs["optim.clip"]]
