"""NVIDIA's management library, which comes with the driver, by ctypes: what lamo asks of graphics cards.

Names, numbers and structures are those of NVIDIA's header nvml.h; a function returns what it asked for and raises
`NVMLError` where the library answers with an error.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_LIBRARY = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
_NAME_BYTES = 96


class NVMLError(Exception):
    """What the library says went wrong."""


class Utilisation(ctypes.Structure):
    """Percent of the last moments in which a card computed, and in which its memory was used."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class Memory(ctypes.Structure):
    """Bytes."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


_library: Any = None


def nvmlInit() -> None:
    """Load the library and begin; raises `NVMLError`, also where there is none."""
    global _library
    try:
        _library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise NVMLError(f"{_LIBRARY} does not load") from error
    _library.nvmlErrorString.restype = ctypes.c_char_p
    _call("nvmlInit_v2")


def nvmlDeviceGetCount() -> int:
    """Return the number of cards."""
    return int(_asked("nvmlDeviceGetCount_v2", ctypes.c_uint()).value)


def nvmlDeviceGetHandleByIndex(index: int) -> Any:
    """Return what the other functions know a card by."""
    handle = ctypes.c_void_p()
    _call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
    return handle


def nvmlDeviceGetName(card: Any) -> bytes:
    """Return a card's name."""
    name = ctypes.create_string_buffer(_NAME_BYTES)
    _call("nvmlDeviceGetName", card, name, ctypes.c_uint(_NAME_BYTES))
    return name.value


def nvmlDeviceGetUtilizationRates(card: Any) -> Utilisation:
    """Return a card's load."""
    return _asked("nvmlDeviceGetUtilizationRates", Utilisation(), card)  # type: ignore[no-any-return]


def nvmlDeviceGetMemoryInfo(card: Any) -> Memory:
    """Return a card's memory."""
    return _asked("nvmlDeviceGetMemoryInfo", Memory(), card)  # type: ignore[no-any-return]


def nvmlDeviceGetTemperature(card: Any, sensor: int) -> int:
    """Return degrees Celsius; sensor 0 is the processor's."""
    heat = ctypes.c_uint()
    _call("nvmlDeviceGetTemperature", card, ctypes.c_int(sensor), ctypes.byref(heat))
    return heat.value


def _asked(function: str, answer: Any, *arguments: Any) -> Any:
    _call(function, *arguments, ctypes.byref(answer))
    return answer


def _call(function: str, *arguments: Any) -> None:
    try:
        code = getattr(_library, function)(*arguments)
    except AttributeError as error:
        raise NVMLError(f"the driver has no {function}") from error
    if code:
        raise NVMLError((_library.nvmlErrorString(ctypes.c_int(code)) or b"unknown error").decode(errors="replace"))
