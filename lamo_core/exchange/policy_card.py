"""The model card of a published policy, with metadata that the hub understands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from lamo_core.exchange.policy_repository import FILM


def policy_card(facts: Mapping[str, Any], repository: str, *, film: bool) -> str:
    """Return the card, in Markdown behind its metadata, of the facts in lamo.json."""
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="reinforcement-learning",
            task_name="reinforcement-learning",
            dataset_type=facts["task"],
            dataset_name=facts["task"],
            metric_type="mean_reward",
            metric_name=f"mean return when asked for {score['target']:g}",
            metric_value=_valued(score),
            verified=False,
        )
        for score in facts["scores"]
    ]
    base = facts["backbone"]["name"]
    metadata = ModelCardData(
        library_name="lamo",
        tags=[
            "lamo",
            "reinforcement-learning",
            "offline-reinforcement-learning",
            "decision-transformer",
            facts["task"],
        ],
        model_name=facts["run"],
        base_model=base if "/" in base and ":" not in base else None,
        pipeline_tag="reinforcement-learning",
        eval_results=results or None,
    )
    return f"---\n{metadata.to_yaml()}\n---\n\n{_text(facts, repository, film=film)}"


def _text(facts: Mapping[str, Any], repository: str, *, film: bool) -> str:
    data, base = facts["data"], facts["backbone"]
    trained = f"by `{facts['method']}` for {facts['step']} steps on {_share(data)} of `{data.get('set')}`"
    counted = f"{data.get('episodes', '?')} episodes, {data.get('transitions', '?')} transitions"
    picture = f"![The median episode of an evaluation]({FILM})\n\n" if film else ""
    return f"""\
# {facts["task"]}: a policy of lamo

{picture}{facts["made_by"]} trained it {trained}.

```bash
lamo eval {repository}
lamo replay {repository}
```

| asked for | episodes | mean return | 95 % interval | normalised | context | actions |
| --- | --- | --- | --- | --- | --- | --- |
{_rows(facts["scores"])}

- Made with: `{shlex.join(facts["command"])}`
- Trunk: `{base["name"]}` (SHA-256 {base["hash"][:16]}…), not contained here; whoever plays the policy needs the same
  one. Its licence holds beside that of this repository.
- Data: {counted}, mean return {_number(data.get("return_mean"))}.
- All settings and versions are in `lamo.json`.
"""


def _rows(scores: list[dict[str, Any]]) -> str:
    rows = [
        f"| {score['target']:g} | {score['episodes']} | {_number(score['mean'])} | {_interval(score)} | "
        f"{_number(score['normalised'])} | {score['context']} | {score['action']} |"
        for score in scores
    ]
    return "\n".join(rows or ["| these weights were not evaluated | | | | | | |"])


def _valued(score: Mapping[str, Any]) -> str:
    if not isinstance(score["low"], int | float) or not isinstance(score["high"], int | float):
        return _number(score["mean"])
    return f"{_number(score['mean'])} +/- {(score['high'] - score['low']) / 2:.2f}"


def _interval(score: Mapping[str, Any]) -> str:
    return "-" if score["low"] is None else f"{_number(score['low'])} to {_number(score['high'])}"


def _share(data: Mapping[str, Any]) -> str:
    return f"{100 * float(data.get('ratio', 1)):g} %"


def _number(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) else str(value)
