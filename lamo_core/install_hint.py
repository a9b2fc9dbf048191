"""Install hints: the shell commands that add packages to the environment which runs."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from lamo_core.untrusted.parsing import parse_json

DISTRIBUTION = "lamo-rl"
"""What package indexes call lamo; `lamo` is somebody else's package there."""

Installer = Literal["pip", "uv", "uv tool", "pipx"]


@dataclass(frozen=True)
class Installation:
    """How the lamo that runs was installed."""

    installer: Installer
    python: str = "python3"
    """The interpreter that runs."""
    source: str = ""
    """What lamo was installed from: a folder, else an address; empty for a package index."""
    editable: bool = False
    """Whether `source` is a folder whose code runs in place."""
    extras: tuple[str, ...] = ()
    """Those whose packages are all here: tools that replace an environment must name them again."""
    requirements: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The packages of each extra, as far as the installed package says."""


def hint(*extras: str) -> str:
    """Return the shell command that installs extras of lamo, such as `mujoco`; without any, what lamo itself needs."""
    return extras_command(this_installation(), extras)


def package_hint(*packages: str, dependencies: bool = True) -> str:
    """Return the shell command that installs other packages, such as `mujoco<3.12`, beside lamo."""
    return packages_command(this_installation(), packages, dependencies=dependencies)


def extras_command(found: Installation, extras: tuple[str, ...]) -> str:
    """Return the command that adds extras to an installation."""
    if found.installer == "uv tool":
        return shlex.join(["uv", "tool", "install", *_lamo(found, (*found.extras, *extras))])
    if found.installer == "pipx":
        packages = [package for extra in extras for package in found.requirements.get(extra, ())]
        if packages:
            return packages_command(found, tuple(packages))
        return shlex.join(["pipx", "install", "--force", *_lamo(found, extras)])
    return shlex.join([*_installer(found), *_lamo(found, extras)])


def packages_command(found: Installation, packages: tuple[str, ...], *, dependencies: bool = True) -> str:
    """Return the command that adds packages to an installation, with what they need or without."""
    alone = [] if dependencies else ["--no-deps"]
    if found.installer == "pipx":
        return shlex.join(["pipx", "inject", DISTRIBUTION, *packages, *(["--pip-args=--no-deps"] if alone else [])])
    if found.installer == "uv tool" and dependencies:
        beside = [word for package in packages for word in ("--with", package)]
        return shlex.join(["uv", "tool", "install", *beside, *_lamo(found, found.extras)])
    return shlex.join([*_installer(found), *alone, *packages])


def this_installation() -> Installation:
    """Return how the lamo that runs was installed, from its metadata and the place of its code and interpreter."""
    installer, python = _installer_of(Path(sys.prefix)), sys.executable or "python3"
    checkout = Path(__file__).parents[1]
    editable = (checkout / "pyproject.toml").is_file()
    try:
        installed = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        return Installation(installer, python, str(checkout) if editable else "", editable)
    requirements = _requirements(installed)
    present = tuple(extra for extra in requirements if extra != "dev" and all(map(_is_here, requirements[extra])))
    source = str(checkout) if editable else _source(installed)
    return Installation(installer, python, source, editable, present, requirements)


def _installer_of(prefix: Path) -> Installer:
    """Tell the installer by the folder of the environment."""
    if (prefix / "uv-receipt.toml").is_file() or prefix.parts[-3:-1] == ("uv", "tools"):
        return "uv tool"
    if (prefix / "pipx_metadata.json").is_file() or prefix.parts[-3:-1] == ("pipx", "venvs"):
        return "pipx"
    return "uv" if find_spec("pip") is None else "pip"  # uv makes environments without pip


def _source(installed: Distribution) -> str:
    """Return where a package came from that no index gave (PEP 610); empty when its folder or file is gone."""
    try:
        address = parse_json(installed.read_text("direct_url.json") or "{}")
        url, revision = str(address.get("url", "")), address.get("vcs_info", {})
        if url.startswith("file://"):
            path = Path(unquote(urlsplit(url).path))
            return "" if not path.exists() else str(path) if path.is_dir() else url
        return f"{revision['vcs']}+{url}@{revision['commit_id']}" if revision else url
    except (ValueError, AttributeError, LookupError):
        return ""  # damaged: the index is as good a guess


def _requirements(installed: Distribution) -> dict[str, tuple[str, ...]]:
    """Return the packages that each extra installs, with their versions."""
    found: dict[str, tuple[str, ...]] = {}
    for line in installed.requires or ():
        package, _, marker = line.partition(";")
        extra = re.search(r"extra\s*==\s*[\"']([^\"']+)[\"']", marker)
        if extra:
            found[extra[1]] = (*found.get(extra[1], ()), package.strip())
    return found


def _is_here(package: str) -> bool:
    try:
        distribution(re.split(r"[^\w.-]", package, maxsplit=1)[0])
    except PackageNotFoundError:
        return False
    return True


def _installer(found: Installation) -> list[str]:
    if found.installer == "pip":
        return [found.python, "-m", "pip", "install"]
    return ["uv", "pip", "install", "--python", found.python]


def _lamo(found: Installation, extras: tuple[str, ...]) -> list[str]:
    """Return the words that name lamo with some extras, from where it was installed."""
    wanted = f"[{','.join(dict.fromkeys(extras))}]" if extras else ""
    if not found.source:
        return [DISTRIBUTION + wanted]
    if "://" in found.source:
        return [f"{DISTRIBUTION}{wanted} @ {found.source}"]
    here = "." if Path(found.source) == Path.cwd() else found.source
    return [*(["-e"] if found.editable else []), here + wanted]
