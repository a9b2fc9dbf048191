"""Out of memory: told from other errors whoever says it, and answered with what helps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from lamo_core.errors import DeviceError, UsageError
from lamo_core.out_of_memory import advised, is_out_of_memory
from lamo_core.runs.directory import find_run
from lamo_core.runs.status import read_state
from lamo_core.training.checkpoint import read_checkpoint

TOO_MUCH = 1 << 56
"""Bytes that no machine has."""


def test_what_libraries_raise_for_real_is_told() -> None:
    def raised(ask: object) -> Exception:
        with pytest.raises((MemoryError, RuntimeError)) as caught:
            ask()  # type: ignore[operator]
        return caught.value

    assert is_out_of_memory(raised(lambda: torch.empty(TOO_MUCH, dtype=torch.uint8)))
    assert is_out_of_memory(raised(lambda: np.empty(TOO_MUCH, np.uint8)))
    assert is_out_of_memory(raised(lambda: bytearray(TOO_MUCH)))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:128] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError("not enough memory: you tried to allocate 40000000000 bytes."),
        RuntimeError("std::bad_alloc"),
        RuntimeError("MPS backend out of memory (MPS allocated: 18 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("could not create a memory object"),
        RuntimeError("can't start new thread"),
        OSError(12, "Cannot allocate memory"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object: Cannot allocate memory"),
        MemoryError(),
    ],
    ids=lambda error: f"{type(error).__name__}: {error}"[:40],
)
def test_out_of_memory_is_exit_code_4_whoever_says_it(error: Exception) -> None:
    with (
        pytest.raises(DeviceError, match=r"^this machine is out of memory; lower it$") as caught,
        advised("this machine", "lower it"),
    ):
        raise error
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes differ"), OSError(28, "No space left on device"), UsageError("out of memory?")]
)
def test_other_errors_pass_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error), match=re.escape(str(error))), advised("this machine", "lower it"):
        raise error


def test_what_the_failed_work_held_is_let_go_of() -> None:
    held: list[weakref.ref[torch.Tensor]] = []

    def work() -> None:
        activations = torch.zeros(1000)
        held.append(weakref.ref(activations))
        raise MemoryError

    with pytest.raises(DeviceError), advised("this machine", "lower it"):
        work()
    assert held[0]() is None


CODE = """
import resource, sys
import lamo_core.training.loop as loop
train_step, sys.argv = loop._train_step, ["lamo", *sys.argv[1:]]
ballast = []

def limited(session):
    if session.step == 1:
        used = 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1])
        resource.setrlimit(resource.RLIMIT_AS, (used + (32 << 20), resource.RLIM_INFINITY))
        try:  # what the first step has left free would be enough for the next one
            while True:
                ballast.append(bytearray(1 << 20))
        except MemoryError:
            del ballast[-24:]
    return train_step(session)

loop._train_step = limited
from lamo_tui.cli.app import main
main()
"""
SETTINGS = {
    "model.backbone": "random:mini",
    "model.dropout": 0.1,
    "optim.steps": 3,
    "optim.batch_size": 256,
    "optim.micro_batch_size": 256,
    "eval.unseen_episodes": 0,
    "checkpoint.every": 100,
    "task.max_steps": 4,
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's way to tell and limit memory")
def test_a_training_that_runs_out_of_memory_on_a_processor_is_kept_and_goes_on_with_less(tmp_path: Path) -> None:
    words = ["--device", "cpu", *(word for item in SETTINGS.items() for word in ("--set", "{}={}".format(*item)))]
    environment = {**os.environ, "LAMO_RUNS": str(tmp_path), "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    train = [sys.executable, "-c", CODE, "train", "--preset", "mujoco-reacher2d-10pct", *words]
    done = subprocess.run(train, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 4, done.stderr
    sentence = done.stderr.splitlines()[-1]
    assert sentence.startswith("lamo: this machine is out of memory; lower optim.micro_batch_size or model.context, ")
    run = find_run("last", tmp_path)
    status, derived = read_state(run)
    assert (derived.state, status.reason) == ("failed", "error")
    assert status.message.startswith("this machine is out of memory; lower optim.micro_batch_size")
    assert read_checkpoint(run.last_checkpoint).step == 1, "the step before is saved"
    resume = ["train", "--resume", "last", "--set", "optim.micro_batch_size=8", "--set", "eval.final_episodes=1"]
    command = [sys.executable, "-m", "lamo_tui.cli.app", *resume]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    assert "optim.micro_batch_size is 8 instead of 256: numbers differ" in done.stderr
    assert read_checkpoint(run.last_checkpoint).step == 3
