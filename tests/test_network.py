"""Without a network every source says so in one line within seconds; a transfer that has begun is gone on with."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lamo_core.data.sources.download import Resource, download, probe_size
from lamo_core.errors import LamoError, MissingError, UsageError
from lamo_core.network import ENOUGH, NO_NETWORK, PATIENCE, RETRIES, FirstAnswer, Persistence, hub_reached, patience
from lamo_core.untrusted.byte_stream import TransferProblem, open_stream
from lamo_tui.cli.data.data import app
from lamo_tui.cli.lm import lm
from tests.data.sources.web_server import Misbehaviour, serving

LIMIT = 5.0
"""Seconds within which a missing network is said, whatever the source."""


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    monkeypatch.setenv("LAMO_SOURCES", str(tmp_path / "sources.toml"))
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    for name in ("LAMO_CACHE", "LAMO_DATA", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.delenv("LAMO_PATIENCE", raising=False)


# ---- what is asked and does not answer ----


def refused(silent: str, monkeypatch: pytest.MonkeyPatch) -> str:
    return "http://127.0.0.1:9"


def never_answers(silent: str, monkeypatch: pytest.MonkeyPatch) -> str:
    return silent


def no_such_host(silent: str, monkeypatch: pytest.MonkeyPatch) -> str:
    def fail(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    return "https://example.invalid"


def names_are_not_found_out(silent: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A name server that does not answer: the search for an address takes no time limit."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(30))
    return "https://example.invalid"


OUTAGES: list[Callable[[str, pytest.MonkeyPatch], str]] = [
    refused,
    never_answers,
    no_such_host,
    names_are_not_found_out,
]
SOURCES = {
    "d4rl": ("hopper-medium-v2", "{url}/{{file}}"),
    "dqn-replay": ("breakout-medium-v0", "{url}/{{game}}/{{file}}"),
    "rl-unplugged": ("breakout-medium-v0", "{url}/{{game}}/{{file}}"),
    "minari": ("D4RL/kitchen/complete-v2", "{url}/{{id}}/{{file}}"),
}


def in_time(words: list[str], application: Any) -> str:
    """Run a command that finds no network, and return its one line."""
    start = time.monotonic()
    error = CliRunner().invoke(application, words).exception
    assert time.monotonic() - start < LIMIT
    assert isinstance(error, MissingError), error
    assert "\n" not in str(error)
    return str(error)


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_published_data(
    tmp_path: Path,
    silent: str,
    monkeypatch: pytest.MonkeyPatch,
    outage: Callable[[str, pytest.MonkeyPatch], str],
    source: str,
    options: tuple[str, ...],
) -> None:
    name, address = SOURCES[source]
    url = outage(silent, monkeypatch)
    mirrors = [address.format(url=url), address.format(url=url) + "?mirror"]
    (tmp_path / "sources.toml").write_text(f"[{source}]\nmirrors = {mirrors}\n".replace("'", '"'))
    if options and source == "d4rl":  # its sizes are known, so nobody is asked
        assert CliRunner().invoke(app, ["get", name, "--source", source, *options]).exit_code == 0
        return
    if options:
        monkeypatch.setenv("LAMO_PATIENCE", "1")  # the same road; the other half has the usual patience
    said = in_time(["get", name, "--source", source, *options], app)
    assert said.endswith(NO_NETWORK)
    assert said.count(url) == 2  # both addresses are named
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("outage", OUTAGES)
def test_models_of_the_hub(
    silent: str, monkeypatch: pytest.MonkeyPatch, outage: Callable[[str, pytest.MonkeyPatch], str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", outage(silent, monkeypatch))
    said = in_time(["get", "gpt2"], lm.app)
    assert said.startswith("could not get gpt2: ")
    assert said.endswith(NO_NETWORK)


def test_a_model_in_the_cache_needs_no_hub(silent: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[bool] = []

    def from_cache(name: str, **_: object) -> str:
        from huggingface_hub import constants

        asked.append(constants.HF_HUB_OFFLINE)
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.snapshot_download", from_cache)
    monkeypatch.setattr("lamo_core.model.hub.locate", lambda name: types.SimpleNamespace(folder=tmp_path))
    from huggingface_hub import constants

    from lamo_core.model.hub import download as get_model

    assert get_model("gpt2") == tmp_path
    assert asked == [True]
    assert constants.HF_HUB_OFFLINE is False


def test_a_hub_that_answers_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    from huggingface_hub import constants

    with serving() as site:  # 404 at its root is an answer
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", site.url)
        with hub_reached() as problem:
            assert (problem, constants.HF_HUB_OFFLINE) == ("", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with hub_reached() as problem:  # nobody is asked
        assert problem == ""


def test_texts_of_the_hub(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from lamo_core.language import blocks

    config = types.SimpleNamespace(HF_HUB_OFFLINE=False)
    seen: list[bool] = []

    def load_dataset(*_: object, **__: object) -> None:
        seen.append(config.HF_HUB_OFFLINE)
        raise FileNotFoundError("not cached")

    fake = types.SimpleNamespace(config=config, load_dataset=load_dataset)
    monkeypatch.setitem(sys.modules, "datasets", fake)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", silent)
    start = time.monotonic()
    with pytest.raises(MissingError, match=r"is not on this machine and .* gave no answer within 3 s; get it online"):
        blocks._wikitext()
    assert time.monotonic() - start < LIMIT
    assert (seen, config.HF_HUB_OFFLINE) == ([True], False)


def test_a_whole_command_takes_no_longer(silent: str, tmp_path: Path) -> None:
    (tmp_path / "sources.toml").write_text(f'[d4rl]\nmirrors = ["{silent}/{{file}}", "{silent}/{{path}}"]\n')
    command = [sys.executable, "-m", "lamo_tui.cli.app", "data", "get", "hopper-medium-v2"]
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LAMO_PATIENCE": "1"})
    assert time.monotonic() - start < LIMIT + 10  # of which a loaded machine may take some to start
    assert done.returncode == 3
    assert len(done.stderr.strip().splitlines()) == 1
    assert "gave no answer within" in done.stderr


# ---- the policy ----


def test_a_transfer_that_had_begun_is_gone_on_with_when_the_network_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * 4_000
    with serving() as site:
        site.files["good"] = content
        site.wrong["good"] = Misbehaviour(cut_after=300_000, cuts=1)
        real, gone = socket.getaddrinfo, [3]

        def sometimes(*arguments: Any, **options: Any) -> Any:
            if len(site.requests) == 1 and gone[0]:
                gone[0] -= 1
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            return real(*arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", sometimes)
        pauses: list[float] = []
        download(Resource("a file", (f"{site.url}/good",)), tmp_path / "file", pause=pauses.append)
        assert (tmp_path / "file").read_bytes() == content
    assert gone == [0]
    assert pauses == [1.0, 2.0, 4.0, 8.0]


def test_nothing_is_asked_twice_before_anything_answered(tmp_path: Path) -> None:
    pauses: list[float] = []
    with pytest.raises(MissingError, match="refused"):
        download(Resource("x", ("http://127.0.0.1:9/x",)), tmp_path / "x", pause=pauses.append)
    assert pauses == []


def test_a_mirror_behind_one_that_does_not_answer_is_reached(tmp_path: Path, silent: str) -> None:
    with serving() as site:
        site.files["good"] = b"content"
        start = time.monotonic()
        download(Resource("x", (f"{silent}/x", f"{site.url}/good")), tmp_path / "x")
        assert probe_size(Resource("x", (f"{silent}/x", f"{site.url}/good"))) == 7
    assert (tmp_path / "x").read_bytes() == b"content"
    assert time.monotonic() - start < 2 * PATIENCE


def test_a_server_that_answers_and_then_takes_its_time_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamo_core.untrusted.byte_stream.TIMEOUT", 0.7)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def serve() -> None:
            for answer in (f"HTTP/1.1 302 Found\r\nLocation: {url}/b\r\nContent-Length: 0\r\n\r\n", ""):
                connection = listener.accept()[0]
                connection.recv(10_000)
                connection.sendall(answer.encode())
                connections.append(connection)

        connections: list[socket.socket] = []
        threading.Thread(target=serve, daemon=True).start()
        start = time.monotonic()
        with pytest.raises(TransferProblem) as raised, open_stream(f"{url}/a", wait=0.3):
            pass
        assert raised.value.reached
        assert time.monotonic() - start > 0.6
        for connection in connections:
            connection.close()


def test_proxies_that_lead_nowhere_are_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from lamo_core.data.sources.download import Resource, download
download(Resource("x", ("http://example.invalid/x",)), Path(sys.argv[1]), pause=lambda _: sys.exit("asked again"))
"""
    with serving() as site:
        environment = {**os.environ, "http_proxy": site.url, "no_proxy": "", "NO_PROXY": ""}
        site.wrong["http://example.invalid/x"] = Misbehaviour(statuses=[503] * 9)
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "x")], env=environment, capture_output=True, text=True
        )
    assert f"(through the proxy {site.url.removeprefix('http://')}) answered 503" in done.stderr
    assert NO_NETWORK in done.stderr
    assert "asked again" not in done.stderr


def test_time_is_shared_out_until_something_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("lamo_core.network.time", types.SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setenv("LAMO_PATIENCE", "6")
    first = FirstAnswer(3)
    shares = []
    for taken in (2.0, 0.5, 0.0):
        shares.append(first.share())
        now[0] += taken
    assert shares == [2.0, 2.0, 3.5]
    later = FirstAnswer(2)
    later.share()
    now[0] += 1_000
    later.heard = True
    assert later.share() == 6.0


def test_an_address_is_asked_again_only_after_it_was_heard() -> None:
    lost, busy, wrong = (
        TransferProblem("is lost", reached=False),
        TransferProblem("is busy", wait=7),
        TransferProblem("is wrong", permanent=True),
    )
    assert Persistence().pause_after(lost, 0) is None
    assert Persistence().pause_after(wrong, ENOUGH) is None
    heard = Persistence()
    assert heard.pause_after(busy, 0) == 7
    assert [heard.pause_after(lost, 0) for _ in range(RETRIES)] == [2, 4, 8, 16, None]
    begun = Persistence()
    assert [begun.pause_after(lost, ENOUGH) for _ in range(20)] == [1.0] * 20


@pytest.mark.parametrize("text", ["soon", "nan", "-1", "0", "1e9"])
def test_patience_is_a_number(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("LAMO_PATIENCE", text)
    with pytest.raises(UsageError, match="LAMO_PATIENCE must be a number of seconds"):
        patience()


def test_less_patience_than_the_limit() -> None:
    assert patience() == PATIENCE < LIMIT
    assert issubclass(MissingError, LamoError)
