"""The card of an exported policy: what it plays, where it comes from, how it is run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lamo_core.exchange.runner_text import MODEL_FILES, RUNNER_FILE

_NEEDS = {"onnx": "numpy and onnxruntime", "torch": "numpy and torch"}


def card_text(facts: Mapping[str, Any]) -> str:
    """Return the card, in Markdown, of the facts in policy.json."""
    kind = facts["runtime"]
    inputs = "\n".join(f"| `{name}` | {tuple(shape)} | {dtype} |" for name, (shape, dtype) in facts["inputs"].items())
    return f"""\
# {facts["title"]}: a policy exported by {facts["made_by"]}

{RUNNER_FILE} plays it; it needs {_NEEDS[kind]} alone.

```python
from {RUNNER_FILE.removesuffix(".py")} import ExportedPolicy

policy = ExportedPolicy()
policy.reset(target={facts["targets"][0]:g})
action = policy.act(observation, reward)  # for each step; the first reward does not count
```

- Task: `{facts["task"]}`. {_observed(facts)}
- {_acted(facts)}
- Targets are in the unit of {facts["rewards"]} rewards; the data suggest {_listed(facts["targets"])}.
- It decides from the newest {facts["context"]} steps{_kept(facts)}.
- Trained by {facts["method"]} for {facts["step"]} steps on {_data(facts["data"])}.
- Trunk: {facts["backbone"]["name"]}, adapters merged. The licence of that language model holds for these weights too.
- Its {_unit(facts)} differ from those of the checkpoint by at most {facts["difference"]:.1g}.

## {MODEL_FILES[kind]}

| input | shape | type |
| --- | --- | --- |
{inputs}
| `newest` | () | int64 |

Steps stand in their order from the first row on, and rows behind `newest` may hold anything. The outputs are `decision`
({_unit(facts)}) and `action` ({"the likeliest choice" if facts["discrete"] else "in the environment's own bounds"}).
"""


def _observed(facts: Mapping[str, Any]) -> str:
    if facts["frames"]:
        return "Observations are grey frames (84, 84) uint8; the runner keeps the newest four."
    size = facts["inputs"]["observations"][0][1]
    chosen = f", numbers {_listed(facts['selection'])} of the environment's" if facts["selection"] else ""
    flat = ", made flat in the order that policy.json tells" if facts["observation_parts"] else ""
    return f"Observations are {size} numbers{chosen}{flat}."


def _acted(facts: Mapping[str, Any]) -> str:
    names = ", ".join(facts["action_names"])
    if not facts["discrete"]:
        return f"Actions are numbers: {names}."
    way = "are drawn by their probabilities" if facts["action"] == "sample" else "are the likeliest ones"
    return f"Actions count from {facts['first_action']} and {way}: {names}."


def _kept(facts: Mapping[str, Any]) -> str:
    if facts["kept"] == facts["context"]:
        return ""
    return f" at most; when it has seen so many, it goes on from the newest {facts['kept']}"


def _unit(facts: Mapping[str, Any]) -> str:
    return "probabilities" if facts["discrete"] else "action values in [-1, 1]"


def _data(data: Mapping[str, Any]) -> str:
    return f"{100 * float(data.get('ratio', 1)):g} % of `{data.get('set', 'unknown')}`"


def _listed(values: Any) -> str:
    return ", ".join(f"{value:g}" for value in values)
