"""Table of the sources of data sets by name."""

from __future__ import annotations

from lamo_core.settings.strict import unknown_key

PUBLISHED = {
    "minari": "lamo_core.data.sources.minari",
    "d4rl": "lamo_core.data.sources.d4rl",
    "rl-unplugged": "lamo_core.data.sources.rl_unplugged",
    "dqn-replay": "lamo_core.data.sources.dqn_replay",
}
"""Name of a source, in settings and folders, to the module whose `SOURCE` it is; a set's name is tried in turn."""
HERE = ("bundled", "collected", "imported")
"""Where else sets are from: they ship, were collected, or were imported; a config calls all of them bundled."""


def check_source(name: str) -> None:
    """Raise `UsageError` unless sets of a source of that name can be trained on."""
    if name not in (HERE[0], *PUBLISHED):
        raise unknown_key(name, [HERE[0], *PUBLISHED], "value of data.source")
