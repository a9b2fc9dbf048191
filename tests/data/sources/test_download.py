"""The downloader against a server that cuts, refuses, lies and ignores."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from lamo_core.data.sources import download as module
from lamo_core.data.sources.download import Resource, download, probe_size
from lamo_core.errors import DataError, MissingError, StorageError, UsageError
from lamo_core.network import RETRIES
from tests.data.sources.web_server import Misbehaviour, Site, serving

CONTENT = np.random.default_rng(0).bytes(3_000_000)
DIGEST = sha256(CONTENT).hexdigest()

Fetch = Callable[..., Path]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as site:
        site.files["good"] = CONTENT
        yield site


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def fetch(site: Site, tmp_path: Path, pauses: list[float]) -> Fetch:
    def run(*paths: str, pause: Callable[[float], None] = pauses.append, **facts: object) -> Path:
        urls = tuple(path if ":" in path else f"{site.url}/{path}" for path in paths)
        target = tmp_path / "got" / "file.bin"
        download(Resource("a file", urls, **facts), target, pause=pause)  # type: ignore[arg-type]
        return target

    return run


def left_over(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "got").iterdir())


def test_a_file_arrives_whole_and_leaves_nothing_behind(fetch: Fetch, tmp_path: Path, site: Site) -> None:
    assert fetch("good", sha256=DIGEST).read_bytes() == CONTENT
    assert left_over(tmp_path) == ["file.bin"]
    assert site.sent == len(CONTENT)


def test_a_cut_connection_goes_on_where_it_was(fetch: Fetch, site: Site, pauses: list[float]) -> None:
    site.wrong["good"] = Misbehaviour(cut_after=700_000, cuts=3)
    assert fetch("good").read_bytes() == CONTENT
    assert [asked for _, asked in site.requests] == ["", *(f"bytes={700_000 * n}-" for n in (1, 2, 3))]
    assert site.sent == len(CONTENT)
    assert pauses == [1.0, 1.0, 1.0]


def test_it_says_why_it_waits(site: Site, tmp_path: Path) -> None:
    site.wrong["good"] = Misbehaviour(statuses=[503, 503])
    said: list[str] = []
    resource = Resource("a file", (f"{site.url}/good",))
    download(resource, tmp_path / "file", lambda stage, done, total: said.append(stage), pause=lambda seconds: None)
    assert said[:2] == [f"{site.url}/good answered 503 Service Unavailable; trying again in {n} s" for n in (1, 2)]


def test_what_is_nowhere_leaves_nothing_and_is_not_to_be_tried_again(fetch: Fetch, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="answered 404 Not Found; check the name"):
        fetch("absent")
    assert left_over(tmp_path) == []


def test_a_proxy_that_refuses_is_named_without_its_password(site: Site) -> None:
    code = f"""
from lamo_core.data.sources.download import Resource, probe_size
probe_size(Resource("a file", ("{site.url}/good",)))
"""
    environment = {**os.environ, "http_proxy": "http://me:secret@127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "(through the proxy 127.0.0.1:9) Connection refused" in done.stderr
    assert "secret" not in done.stderr


def test_pauses_grow_while_nothing_comes(fetch: Fetch, site: Site, pauses: list[float]) -> None:
    site.wrong["good"] = Misbehaviour(statuses=[500, 503, 500, 502])
    assert fetch("good").read_bytes() == CONTENT
    assert pauses == [1.0, 2.0, 4.0, 8.0]


def test_a_server_that_ignores_ranges_starts_again(fetch: Fetch, site: Site) -> None:
    site.wrong["good"] = Misbehaviour(cut_after=1_000_000, cuts=1, ignore_range=True)
    assert fetch("good").read_bytes() == CONTENT
    assert site.sent == len(CONTENT) + 1_000_000


def test_another_version_starts_again(fetch: Fetch, site: Site) -> None:
    site.wrong["good"] = Misbehaviour(cut_after=1_000_000, cuts=1, changes=True)
    assert fetch("good").read_bytes() == CONTENT
    assert site.requests[1] == ("good", "bytes=1000000-")
    assert site.sent == len(CONTENT) + 1_000_000


def test_another_version_is_noticed_where_the_server_does_not_care(fetch: Fetch, site: Site) -> None:
    changed = CONTENT[::-1]
    site.wrong["good"] = Misbehaviour(cut_after=700_000, cuts=1, ignore_condition=True)

    def change(_: float) -> None:
        site.files["good"] = changed

    target = fetch("good", pause=change)
    assert target.read_bytes() == changed


def test_a_file_that_changed_is_not_gone_on_with(fetch: Fetch, tmp_path: Path) -> None:
    source, part = tmp_path / "source", tmp_path / "got" / "file.bin.part"
    source.write_bytes(CONTENT[:1000])
    os.utime(source, ns=(1, 1))
    part.parent.mkdir()
    part.write_bytes(CONTENT[:500])
    note = {"url": source.as_uri(), "validator": "1", "total": 1000}
    part.with_name("file.bin.part.json").write_text(json.dumps(note))
    source.write_bytes(CONTENT[1000:2000])
    assert fetch(source.as_uri()).read_bytes() == CONTENT[1000:2000]


def test_another_part_than_asked_for_is_not_taken(fetch: Fetch, site: Site) -> None:
    site.wrong["good"] = Misbehaviour(cut_after=1_000_000, cuts=1, wrong_range=True)
    with pytest.raises(MissingError, match="another part than it was asked for"):
        fetch("good")


def test_a_missing_file_leads_to_the_mirror_at_once(fetch: Fetch, site: Site, pauses: list[float]) -> None:
    assert fetch("none", "good").read_bytes() == CONTENT
    assert [path for path, _ in site.requests] == ["none", "good"]
    assert pauses == []


def test_when_no_address_has_it_all_are_named(fetch: Fetch, site: Site) -> None:
    site.wrong["broken"] = Misbehaviour(statuses=[500] * 50)
    with pytest.raises(MissingError, match=r"could not get a file: .*/none answered 404.*/broken answered 500"):
        fetch("none", "broken")
    assert len([path for path, _ in site.requests if path == "broken"]) == RETRIES + 1


def test_an_absent_server_is_a_missing_file(fetch: Fetch) -> None:
    with pytest.raises(MissingError, match="refused"):
        fetch("http://127.0.0.1:9/none")


def test_a_wrong_hash_is_refused_and_not_gone_on_from(fetch: Fetch, tmp_path: Path, site: Site) -> None:
    site.files["wrong"] = CONTENT[:-1] + b"?"
    with pytest.raises(DataError, match="not the published"):
        fetch("wrong", sha256=DIGEST)
    assert not (tmp_path / "got" / "file.bin").exists()
    assert left_over(tmp_path) == []
    assert fetch("wrong", "good", sha256=DIGEST).read_bytes() == CONTENT


@pytest.mark.parametrize(("digest", "expected"), [("", ""), (DIGEST, "bytes=1000000-")])
def test_a_mirror_goes_on_only_where_a_hash_protects(fetch: Fetch, site: Site, digest: str, expected: str) -> None:
    site.files["copy"] = CONTENT
    site.wrong["good"] = Misbehaviour(cut_after=1_000_000, cuts=1, statuses=[200, 404])
    assert fetch("good", "copy", sha256=digest).read_bytes() == CONTENT
    assert site.requests[-1] == ("copy", expected)


@pytest.mark.parametrize("claimed", [10, len(CONTENT) - 1])
def test_too_small_a_length_is_found_out_by_the_hash(fetch: Fetch, site: Site, claimed: int) -> None:
    site.wrong["good"] = Misbehaviour(claimed=claimed)
    with pytest.raises(DataError, match="not the published"):
        fetch("good", sha256=DIGEST)


def test_too_large_a_length_is_settled_by_asking_for_the_rest(fetch: Fetch, site: Site) -> None:
    site.wrong["good"] = Misbehaviour(claimed=len(CONTENT) + 5)
    assert fetch("good").read_bytes() == CONTENT
    assert site.requests[-1] == ("good", f"bytes={len(CONTENT)}-")


def test_too_large_a_length_without_ranges_ends_in_an_error(fetch: Fetch, site: Site, pauses: list[float]) -> None:
    site.wrong["good"] = Misbehaviour(claimed=len(CONTENT) + 5, ignore_range=True)
    with pytest.raises(MissingError, match=r"broke off at byte 3,000,000 of 3,000,005"):
        fetch("good")
    assert len(pauses) == RETRIES


def test_absurd_lengths_take_neither_time_nor_space(fetch: Fetch, site: Site, pauses: list[float]) -> None:
    site.wrong["good"] = Misbehaviour(claimed=10**14)
    with pytest.raises(DataError, match="more than any such file has"):
        fetch("good")
    assert pauses == []
    with pytest.raises(StorageError, match=r"needs .* bytes more"):
        fetch("good", largest=10**15)


def test_the_published_size_is_checked(fetch: Fetch) -> None:
    with pytest.raises(DataError, match="says that it has 3,000,000 bytes"):
        fetch("good", size=123)
    assert fetch("good", size=len(CONTENT)).read_bytes() == CONTENT


def test_without_a_length_the_end_counts_and_more_than_allowed_is_cut(fetch: Fetch, site: Site) -> None:
    site.wrong["good"] = Misbehaviour(no_length=True)
    with pytest.raises(DataError, match="sends more than 1,000,000 bytes"):
        fetch("good", largest=1_000_000)
    assert fetch("good").read_bytes() == CONTENT


def test_a_whole_part_is_recognised(fetch: Fetch, tmp_path: Path, site: Site) -> None:
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "file.bin.part").write_bytes(CONTENT)
    note = {"url": f"{site.url}/good", "validator": "", "total": len(CONTENT)}
    (tmp_path / "got" / "file.bin.part.json").write_text(json.dumps(note))
    assert fetch("good").read_bytes() == CONTENT
    assert site.sent == 0


@pytest.mark.parametrize("note", ["", "{", "[]", '{"url": 1}', '{"url": "", "validator": "", "total": "y"}', "\0" * 99])
def test_a_damaged_note_only_costs_a_new_start(fetch: Fetch, tmp_path: Path, note: str) -> None:
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "file.bin.part").write_bytes(b"something else")
    (tmp_path / "got" / "file.bin.part.json").write_text(note)
    assert fetch("good").read_bytes() == CONTENT


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/x", "file:///etc/hostname", "data:text/plain,x"])
def test_a_redirect_stays_on_the_web(fetch: Fetch, site: Site, pauses: list[float], target: str) -> None:
    site.wrong["moved"] = Misbehaviour(redirect=target)
    with pytest.raises(MissingError, match=r"address of another kind|is not allowed"):
        fetch("moved")
    assert pauses == []


def test_a_redirect_is_followed_with_its_range(fetch: Fetch, site: Site) -> None:
    site.wrong["moved"] = Misbehaviour(redirect=f"{site.url}/good")
    site.wrong["good"] = Misbehaviour(cut_after=1_000_000, cuts=1)
    assert fetch("moved").read_bytes() == CONTENT
    assert site.requests[-1] == ("good", "bytes=1000000-")


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/x", "gopher:x", "nothing", "http://[", "http://127.0.0.1:x/"])
def test_other_addresses_are_refused(fetch: Fetch, address: str) -> None:
    with pytest.raises(MissingError, match="could not get"):
        fetch(address if ":" in address else f"{address}:")


def test_files_can_be_sources(fetch: Fetch, tmp_path: Path) -> None:
    (tmp_path / "a file.bin").write_bytes(CONTENT)
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "file.bin.part").write_bytes(CONTENT[:1000])
    assert fetch((tmp_path / "a file.bin").as_uri(), sha256=DIGEST).read_bytes() == CONTENT
    with pytest.raises(MissingError, match="is no file"):
        download(Resource("x", ((tmp_path / "none").as_uri(),)), tmp_path / "x", pause=lambda _: None)


def test_sizes_are_known_before_fetching(site: Site, tmp_path: Path) -> None:
    assert probe_size(Resource("x", (f"{site.url}/none", f"{site.url}/good"))) == len(CONTENT)
    assert probe_size(Resource("x", (), size=7)) == 7
    site.wrong["good"] = Misbehaviour(no_length=True)
    assert probe_size(Resource("x", (f"{site.url}/good",))) is None
    with pytest.raises(MissingError, match="could not find x"):
        probe_size(Resource("x", (f"{site.url}/none",)))


def test_a_full_disk_is_no_network_problem(fetch: Fetch, monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_copy", full)
    with pytest.raises(StorageError, match="No space left"):
        fetch("good")
    assert pauses == []


def test_one_process_at_a_time(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"

    def in_the_middle(*_: object) -> None:
        with pytest.raises(UsageError, match="another process"):
            download(Resource("x", (f"{site.url}/good",)), path)

    download(Resource("x", (f"{site.url}/good",)), path, in_the_middle)
    assert path.read_bytes() == CONTENT


_CHILD = """
import sys, time
from pathlib import Path
from lamo_core.data.sources.download import Resource, download
def slowly(stage, done, total):
    print(done, flush=True)
    time.sleep(0.2)
download(Resource("x", (sys.argv[1],)), Path(sys.argv[2]), slowly)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_download_goes_on(site: Site, tmp_path: Path, how: signal.Signals) -> None:
    path = tmp_path / "file.bin"
    command = [sys.executable, "-c", _CHILD, f"{site.url}/good", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ}) as child:
        assert child.stdout is not None
        for _ in range(3):
            assert child.stdout.readline()
        child.send_signal(how)
    assert not path.exists()
    have = (tmp_path / "file.bin.part").stat().st_size
    assert 0 < have < len(CONTENT)
    site.requests.clear()
    download(Resource("x", (f"{site.url}/good",)), path, pause=time.sleep)
    assert path.read_bytes() == CONTENT
    assert site.requests == [("good", f"bytes={have}-")]
