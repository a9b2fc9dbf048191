"""A paused session leaves its device with everything it holds there, and comes back bit for bit.

Without a second device, memory that processes share stands for the machine's: a tensor says whether it lies there.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from lamo_core.config import RunConfig
from lamo_core.engine import engine
from lamo_core.errors import DeviceError
from lamo_core.training import session as sessions
from lamo_core.training.checkpoint import trained_weights
from lamo_core.training.events import Event, Paused, Resumed, StepDone, Stopped
from lamo_core.training.loop import Requests, training_loop
from lamo_core.training.offload import CudaMemory, DeviceOffload, memory_of
from lamo_core.training.session import Session, new_session, resume_session
from tests.contract.test_methods import small_config, toy_store

CASES = [
    ("lamo", ("q-term",), "continuous"),
    ("lamo", ("learned-maximum",), "discrete"),
    ("wiki-rl", (), "discrete"),
    ("dt", (), "continuous"),
    ("bc", (), "discrete"),
    ("td3+bc", (), "continuous"),
    ("cql", (), "continuous"),
    ("cql", (), "discrete"),
    ("iql", (), "continuous"),
    ("bcq", (), "continuous"),
]


class Shared:
    """Memory of a device that has `size` bytes for itself."""

    def __init__(self, size: int = 10**9) -> None:
        self.size, self.out_limit = size, 10**9
        self.used = 1000

    def taken(self) -> int:
        return self.used

    def room(self) -> int:
        return self.size

    def out(self, content_N: Tensor) -> Tensor:
        if len(content_N) > self.out_limit:
            raise RuntimeError("can't allocate memory")
        return content_N.clone().share_memory_()

    def back(self, content_N: Tensor) -> Tensor:
        self.used = 1000
        return content_N.clone()

    def give_up(self) -> None:
        self.used = 10


def config_of(method: str, ablations: tuple[str, ...], kind: str, average: float = 0.9) -> RunConfig:
    values = small_config(method, kind, ablations).to_dict()
    values["optim"]["ema_decay"] = average
    values["eval"]["unseen_episodes"] = 2
    return RunConfig.from_dict(values)


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Session]:
    """Make small sessions."""

    def make(method: str, ablations: tuple[str, ...] = (), kind: str = "continuous") -> Session:
        monkeypatch.setattr(sessions, "open_data", lambda *arguments: toy_store(kind))
        monkeypatch.setattr(sessions, "open_unseen", lambda *arguments: toy_store(kind))
        return new_session(config_of(method, ablations, kind))

    return make


def reachable(root: object) -> list[Tensor]:
    """Return all tensors that Python's own collector finds behind an object, whatever holds them."""
    seen: dict[int, object] = {}
    ahead = [root]
    while ahead:
        value = ahead.pop()
        if id(value) not in seen and not isinstance(value, type | ModuleType | FunctionType):
            seen[id(value)] = value
            ahead += gc.get_referents(value)
    return [value for value in seen.values() if isinstance(value, Tensor) and value.numel()]


def train(session: Session, between: Callable[[Event], None] = lambda event: None) -> list[tuple[Any, ...]]:
    found = []
    for event in training_loop(session, Requests(), lambda *_: [], lambda *_: ""):
        if isinstance(event, StepDone):
            found.append((event.step, event.loss, event.decision_loss, event.language_loss, event.grad_norm))
        between(event)
    return found


@pytest.mark.parametrize(("method", "ablations", "kind"), CASES)
def test_all_of_it_leaves_and_the_run_goes_on_to_the_last_bit(
    method: str, ablations: tuple[str, ...], kind: str, begin: Callable[..., Session]
) -> None:
    expected_session = begin(method, ablations, kind)
    expected = train(expected_session)
    session, memory = begin(method, ablations, kind), Shared()
    away: list[int] = []

    def leave_and_return(event: Event) -> None:
        if not isinstance(event, StepDone) or event.step not in (2, 3):
            return
        offload = DeviceOffload(session, memory)
        before = [(id(tensor), tensor.stride()) for tensor in reachable(session)]
        offload.release()
        held = reachable(session)
        assert [(id(tensor), tensor.stride()) for tensor in held] == before
        assert all(tensor.is_shared() for tensor in held)
        memories = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in held}
        away.append(sum(memories.values()))
        offload.restore()
        assert not any(tensor.is_shared() for tensor in reachable(session))

    assert train(session, leave_and_return) == expected
    # the optimiser has two moments of what is trained, the average one more copy
    trained, frozen = session.trainable()
    assert away[-1] >= 4 * (frozen + (4 if session.average else 3) * trained)
    ours, theirs = trained_weights(session.policy), trained_weights(expected_session.policy)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_what_shares_memory_shares_it_again(begin: Callable[..., Session]) -> None:
    session = begin("bc")
    whole = torch.arange(6.0).view(2, 3)
    session.data |= {"whole": whole, "turned": whole.T, "part": whole[1, 1:]}
    offload = DeviceOffload(session, Shared())
    offload.release()
    assert whole.is_shared()
    whole[1, 2] = 9
    assert (session.data["turned"][2, 1], session.data["part"][1]) == (9, 9)
    offload.restore()
    whole[1, 2] = 7
    assert session.data["part"].tolist() == [4, 7]
    assert session.data["turned"].stride() == (1, 3)


def test_without_room_nothing_moves_either_way(begin: Callable[..., Session]) -> None:
    session, memory = begin("iql"), Shared()
    offload = DeviceOffload(session, memory)
    memory.out_limit = 100
    with pytest.raises(DeviceError, match="has no memory left to keep for the run"):
        offload.release()
    assert not any(tensor.is_shared() for tensor in reachable(session))
    assert offload.freed == 0
    memory.out_limit = 10**9
    assert offload.release() == 990
    assert offload.release() == 990, "leaving twice is leaving once"
    memory.size = 999
    with pytest.raises(DeviceError, match=r"^cpu has less room than the 1e-06 GB that this run had there; it stays"):
        offload.restore()
    assert all(tensor.is_shared() for tensor in reachable(session))
    memory.size = 1000
    offload.restore()
    offload.restore()
    assert not any(tensor.is_shared() for tensor in reachable(session))


class Script:
    """Does one thing at each poll: commands as somebody would send them."""

    def __init__(self, session: Session, memory: Shared, *acts: str) -> None:
        self.paused, self.free = False, False
        self.session, self.memory, self.acts = session, memory, list(acts)
        self.seen: list[bool] = []
        """Whether everything was away, at each poll of the pause."""

    def poll(self, requests: Requests, session: Session) -> None:
        if self.paused:
            self.seen.append(all(tensor.is_shared() for tensor in reachable(session)))
        if session.step < 2 or not self.acts:
            return
        match self.acts.pop(0):
            case "pause":
                self.paused = True
            case "free":
                self.paused = self.free = True
            case "resume":
                self.paused = self.free = False
            case "crowd":
                self.memory.size = 0
            case "leave":
                self.memory.size = 10**9
            case "stop":
                requests.stop = "test"


def drive(
    session: Session, folder: Path, monkeypatch: pytest.MonkeyPatch, *acts: str
) -> tuple[list[Event], Script, int]:
    memory = Shared()
    monkeypatch.setattr(engine, "memory_of", lambda device: memory)
    monkeypatch.setattr(engine, "_WAIT_SECONDS", 0)
    events: list[Event] = []
    script = Script(session, memory, *acts)
    code = engine.run_session(session, folder, [events.append], script, lambda *_: None)
    return [event for event in events if isinstance(event, Paused | Resumed | Stopped)], script, code


def test_a_pause_frees_at_once_or_later_and_says_so(
    begin: Callable[..., Session], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = begin("td3+bc")
    train(expected)
    session = begin("td3+bc")
    told, script, code = drive(session, tmp_path, monkeypatch, "pause", "free", "free", "resume", "free", "resume")
    words = [(type(event).__name__, getattr(event, "freed", None)) for event in told]
    freed = ("Paused", 990)
    assert words == [("Paused", 0), freed, freed, ("Resumed", None), freed, ("Resumed", None), ("Stopped", None)]
    assert script.seen == [False, True, True, True]
    assert code == 0
    theirs = trained_weights(expected.policy)
    assert all(torch.equal(value, theirs[name]) for name, value in trained_weights(session.policy).items())


def test_a_crowded_device_keeps_it_paused_in_one_sentence_and_loses_nothing(
    begin: Callable[..., Session], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = begin("cql")
    train(expected)
    session = begin("cql")
    acts = ("free", "crowd", "resume", "leave", "resume")
    told, script, code = drive(session, tmp_path, monkeypatch, *acts)
    assert [type(event).__name__ for event in told] == ["Paused", "Paused", "Resumed", "Stopped"]
    failed = told[1]
    assert isinstance(failed, Paused)
    assert failed.freed == 990
    assert "has less room" in failed.message
    assert all(script.seen)
    assert code == 0
    theirs = trained_weights(expected.policy)
    assert all(torch.equal(value, theirs[name]) for name, value in trained_weights(session.policy).items())


def test_a_stop_saves_from_where_it_is_and_the_checkpoint_goes_on_exactly(
    begin: Callable[..., Session], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = begin("cql")
    whole = train(expected)
    session = begin("cql")
    told, script, code = drive(session, tmp_path, monkeypatch, "free", "crowd", "stop")
    assert (type(told[-1]).__name__, code) == ("Stopped", 75)
    assert all(script.seen)
    assert train(resume_session(tmp_path / "last.pt")) == whole[session.step :]


def test_a_processor_has_nothing_to_free(
    begin: Callable[..., Session], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert memory_of(torch.device("cpu")) is None
    session = begin("bc")
    monkeypatch.setattr(engine, "_WAIT_SECONDS", 0)
    told: list[Event] = []
    script = Script(session, Shared(), "free", "resume")
    assert engine.run_session(session, tmp_path, [told.append], script, lambda *_: None) == 0
    paused = [event for event in told if isinstance(event, Paused)]
    assert [(event.freed, event.message) for event in paused] == [
        (0, "there is nothing to free: cpu computes in the machine's own memory")
    ]


@pytest.mark.gpu
@pytest.mark.parametrize("method", ["lamo", "cql"])
def test_a_card_gets_its_memory_back(
    method: str, begin: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin("bc")  # data stand in from here on
    values = config_of(method, (), "continuous").to_dict() | {"device": "cuda"}
    session = new_session(RunConfig.from_dict(values))
    train(session)
    held = {id(tensor): tensor.detach().clone().cpu() for tensor in reachable(session)}
    memory = memory_of(session.device)
    assert isinstance(memory, CudaMemory)
    offload, used = DeviceOffload(session, memory), torch.cuda.memory_allocated()
    assert offload.release() > 0
    assert not any(tensor.is_cuda for tensor in reachable(session))
    # what stays are workspaces of the libraries
    moved = sum(tensor.untyped_storage().nbytes() for tensor in reachable(session.policy))
    assert torch.cuda.memory_allocated() <= used - moved
    offload.restore()
    assert all(tensor.is_cuda for tensor in session.policy.parameters())
    assert all(torch.equal(tensor.cpu(), held[id(tensor)]) for tensor in reachable(session))
