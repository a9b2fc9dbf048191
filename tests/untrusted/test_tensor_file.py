"""Files of `torch.save` from strangers: refused in a moment, whatever they ask for; our own load as they were saved."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import time
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lamo_core.errors import CheckpointError, UsageError
from lamo_core.untrusted.pickle_walk import MOST_DEEP, MOST_OPCODES, walk
from lamo_core.untrusted.plain_text import is_plain
from lamo_core.untrusted.tensor_file import load_tensors
from tests import tensor_files as made
from tests.tensor_files import DICT, EMPTY, LAST, LIST, MARK, NONE, PROTO

DOUBLED = LIST + b"".join(made.put(level) + made.get(level) + b"\x86" for level in range(60))
DOUBLED_LISTS = MARK + LIST + b"".join(
    made.put(level) + LIST + made.get(level) + b"a" + made.get(level) + b"a" for level in range(60)
) + b"t"  # fmt: skip
COLLIDING = b"".join(made.number(step * ((1 << 61) - 1)) + NONE for step in range(1, 40_000))

HOSTILE: dict[str, bytes] = {
    "a bytearray": made.whole(made.name("builtins", "bytearray") + made.number(3 * 10**9) + b"\x85R"),
    "an opcode for a bytearray": made.whole(b"\x96" + (3 * 10**9).to_bytes(8, "little")),
    "a set": made.whole(made.name("builtins", "set") + LIST + b"\x85R"),
    "an opcode for a set": made.whole(b"\x8f"),
    "bytes": made.whole(b"C\x03abc"),
    "a function": made.whole(made.name("os", "system") + made.text("true") + b"\x85R"),
    "a function by other opcodes": made.whole(b"\x8c\x02os\x8c\x06system\x93" + made.text("true") + b"\x85R"),
    "an instance": made.whole(MARK + b"ios\nsystem\n"),
    "a new object": made.whole(made.name("collections", "OrderedDict") + EMPTY + b"\x81"),
    "an ordered dictionary of pairs": made.whole(made.name("collections", "OrderedDict") + LIST + b"\x85R"),
    "doubled values": made.whole(DOUBLED),
    "doubled lists": made.whole(DOUBLED_LISTS),
    "doubled values as a key": PROTO + DICT + DOUBLED + NONE + b"s" + LAST,
    "colliding keys": PROTO + DICT + MARK + COLLIDING + b"u" + LAST,
    "a tuple as a key": PROTO + DICT + EMPTY + NONE + b"s" + LAST,
    "lists in lists": made.whole(LIST * (MOST_DEEP + 1) + b"a" * MOST_DEEP),
    "tuples in tuples": made.whole(EMPTY + b"\x85" * 100_000),
    "a list in itself": made.whole(LIST + made.put(0) + made.get(0) + b"a"),
    "a list that grows later": made.whole(LIST + made.put(0) + b"\x85" + made.get(0) + NONE + b"a" + b"\x86"),
    "many steps": PROTO + NONE * (MOST_OPCODES + 1) + LAST,
    "many pops": PROTO + b"N0" * MOST_OPCODES + LAST,
    "no end": PROTO + DICT,
    "nothing": b"",
    "no value": PROTO + LAST,
    "two values": PROTO + NONE + NONE + LAST,
    "a mark": PROTO + MARK + LAST,
    "a class as the whole": PROTO + made.name("torch", "FloatStorage") + LAST,
    "a class in a list": made.whole(LIST + made.name("torch", "FloatStorage") + b"a"),
    "a storage in a list": made.whole(LIST + made.storage() + b"a"),
    "a class in a tuple in a list": made.whole(LIST + made.name("torch", "FloatStorage") + b"\x85a"),
    "nothing under a number": made.whole(made.get(7)),
    "a mark under a number": made.whole(MARK + made.put(0) + b"t" + made.get(0)),
    "a key without a value": PROTO + DICT + MARK + made.text("a") + b"u" + LAST,
    "a protocol of another time": pickle.dumps({"a": 1}, protocol=0),
    "a newer protocol": pickle.dumps({"a": 1}, protocol=4),
    "a text that ends too late": PROTO + b"X\xff\xff\xff\xff" + LAST,
    "half a text": made.whole(b"X\x02\x00\x00\x00\xff\xfe"),
    "a storage larger than its part": made.whole(made.tensor(made.storage(elements=10**12), 0, (2,), (1,))),
    "a storage of nothing": made.whole(made.tensor(made.storage(key="9"), 0, (2,), (1,))),
    "a storage of elsewhere": made.whole(made.tensor(made.storage(key="../0"), 0, (2,), (1,))),
    "a storage of minus one": made.whole(made.tensor(made.storage(elements=-1), 0, (2,), (1,))),
    "a storage of no kind": made.whole(made.tensor(made.storage(kind="UntypedStorage"), 0, (2,), (1,))),
    "a storage of two kinds": made.whole(
        made.tensor(made.storage(elements=1), 0, (1,), (1,)) + made.tensor(made.storage(), 0, (4,), (1,)) + b"\x86"
    ),
    "a tensor past its storage": made.whole(made.tensor(made.storage(), 3, (2,), (1,))),
    "a tensor before its storage": made.whole(made.tensor(made.storage(), -1, (2,), (1,))),
    "a stretched tensor": made.whole(made.tensor(made.storage(), 0, (10**13,), (0,))),
    "a tensor that goes back": made.whole(made.tensor(made.storage(), 3, (2,), (-1,))),
    "a tensor of a negative size": made.whole(made.tensor(made.storage(), 0, (-2,), (1,))),
    "a tensor without elements": made.whole(made.tensor(made.storage(), 0, (0, 2**40, 2**40), (1, 1, 1))),
    "a tensor of a million dimensions": made.whole(made.tensor(made.storage(), 0, (1,) * 9_999, (0,) * 9_999)),
    "a tensor of half its sizes": made.whole(made.tensor(made.storage(), 0, (2, 2), (1,))),
    "a tensor of something else": made.whole(made.tensor(NONE, 0, (2,), (1,))),
    "a dense name of escapes": made.whole(made.name("\x1b]0;PWN\x07", "x")),
    "a name without an end": PROTO + b"c" + b"a" * 10**6,
}  # fmt: skip


def refuse(path: Path) -> str:
    """Load a file; return why it was refused, and fail if that took long."""
    begin = time.process_time()
    with pytest.raises(CheckpointError) as raised:
        load_tensors(path, "use another")
    assert time.process_time() - begin < 2
    said = str(raised.value)
    assert len(said) < 600
    assert is_plain(said)
    assert said.endswith("use another")
    return said


@pytest.mark.parametrize("what", HOSTILE)
def test_what_no_checkpoint_needs_is_refused(tmp_path: Path, what: str) -> None:
    refuse(made.write(tmp_path / "made.pt", HOSTILE[what]))


def test_all_of_it_is_refused_in_little_memory(tmp_path: Path) -> None:
    for number, pickled in enumerate(HOSTILE.values()):
        made.write(tmp_path / f"{number}.pt", pickled)
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom lamo_core.errors import CheckpointError\n"
        "from lamo_core.untrusted.tensor_file import load_tensors\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in sorted(Path(sys.argv[1]).glob('*.pt')):\n"
        "    try: load_tensors(path, '')\n"
        "    except CheckpointError: pass\n"
        "    else: sys.exit(f'{path} was read')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 200_000  # kB


def test_archives_that_pytorch_does_not_write_are_refused(tmp_path: Path) -> None:
    good = made.write(tmp_path / "good.pt", made.whole(made.tensor(made.storage(), 0, (2, 2), (2, 1)))).read_bytes()
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        parts = {part.filename: archive.read(part) for part in archive.infolist()}
    path = tmp_path / "made.pt"

    def zipped(kind: int = zipfile.ZIP_STORED, **more: bytes) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", kind) as archive:
            for part, data in [*parts.items(), *more.items()]:
                archive.writestr(part, data)
        return packed.getvalue()

    commented = io.BytesIO(good)
    with zipfile.ZipFile(commented, "a") as archive:
        archive.comment = b"x"
    wrong = {
        "cut": good[:-30], "more behind it": good + b"x", "two archives": good + good, "more before": b"x" * 40 + good,
        "a comment": commented.getvalue(), "packed": zipped(zipfile.ZIP_DEFLATED),
        "other parts": zipped(**{"archive/code/x.py": b""}), "a part outside": zipped(**{"../x": b""}),
        "a script": zipped(**{"archive/constants.pkl": b""}), "empty": b"", "no archive": b"PK" * 20,
        "a bomb": zipped(zipfile.ZIP_DEFLATED, **{"archive/data/7": bytes(2**24)}),
    }  # fmt: skip
    for what, content in wrong.items():
        path.write_bytes(content)
        assert refuse(path), what
    path.write_bytes(good)
    assert load_tensors(path, "")["a"].shape == (2, 2)


def test_pipes_devices_and_folders_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pt")
    for path in (tmp_path / "pipe.pt", tmp_path, Path(os.devnull), tmp_path / "none.pt"):
        with pytest.raises(UsageError, match="could not read"):
            load_tensors(path, "")


def test_every_kind_of_data_that_we_save_is_read_as_it_was(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    optimiser = torch.optim.AdamW(model.parameters())
    model(torch.ones(2, 3)).sum().backward()
    optimiser.step()
    kinds = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
    saved: dict[str, Any] = {
        "model": model.state_dict(), "parameter": nn.Parameter(torch.ones(2)), "optimiser": optimiser.state_dict(),
        "tensors": [torch.ones(2, 3).to(getattr(torch, kind)) for kind in kinds],
        "view": torch.arange(12).view(3, 4).T[1:, 1:],
        "none": torch.empty(0, 3), "one": torch.tensor(1.5), "rng": torch.get_rng_state(), "ordered": OrderedDict(b=1),
        "plain": {"t": (1, (), (2.5, None), [True, -5, 2**40, -(2**70)]), 3: "é \ud83d", "long": "x" * 10**6},
    }  # fmt: skip
    saved["shared"] = saved["view"]
    torch.save(saved, tmp_path / "all.pt")
    read = load_tensors(tmp_path / "all.pt", "")
    assert read.keys() == saved.keys()
    assert read["plain"] == saved["plain"]
    assert read["ordered"] == saved["ordered"]
    for name in ("view", "none", "one", "rng", "parameter"):
        assert torch.equal(read[name], saved[name])
    assert all(torch.equal(*pair) for pair in zip(read["tensors"], saved["tensors"], strict=True))
    assert all(torch.equal(read["model"][name], value) for name, value in saved["model"].items())
    torch.optim.AdamW(model.parameters()).load_state_dict(read["optimiser"])


def test_the_walk_takes_no_longer_than_the_reading(tmp_path: Path) -> None:
    torch.save({str(index): torch.zeros(index % 7) for index in range(3000)}, tmp_path / "many.pt")
    reader: Any = torch._C.PyTorchFileReader(str(tmp_path / "many.pt"))
    pickled, sizes = reader.get_record("data.pkl"), {str(index): 4 * (index % 7) for index in range(3000)}
    times = {"walk": 1e9, "read": 1e9}
    for _ in range(3):
        begin = time.process_time()
        walk(pickled, sizes)
        middle = time.process_time()
        torch.load(tmp_path / "many.pt", weights_only=True)
        times = {"walk": min(times["walk"], middle - begin), "read": min(times["read"], time.process_time() - middle)}
    assert times["walk"] < 2 * times["read"]
