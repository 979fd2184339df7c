"""`Body`: reads like `bytes`, without being copied."""

from __future__ import annotations

import ctypes
import pickle
from typing import ClassVar

import pytest

from ron_app_sdk import Body

CONTENT = bytes(range(256)) * 4
BODY = Body(CONTENT)
PYBUF_WRITABLE = 1


def test_it_reads_like_bytes() -> None:
    assert len(BODY) == 1024
    assert bytes(BODY) == CONTENT
    assert list(BODY) == list(CONTENT)
    assert (BODY[0], BODY[255], BODY[-1]) == (0, 255, 255)
    assert 7 in BODY
    assert b"\x01\x02" in BODY
    assert b"\x02\x01" not in BODY
    assert Body(b"caf\xc3\xa9").decode() == "café"
    assert Body(b"caf\xe9").decode("latin-1") == "café"
    with pytest.raises(UnicodeDecodeError):
        Body(b"\xff").decode()
    for index in (1024, -1025):
        with pytest.raises(IndexError):
            BODY[index]
    with pytest.raises(TypeError):
        BODY["0"]  # type: ignore[call-overload]
    assert not Body(b"")


@pytest.mark.parametrize(
    "part",
    [
        *[slice(None), slice(10, 20), slice(-3, None), slice(20, 10), slice(5, 5000), slice(None, None, 3)],
        *[slice(None, None, -1), slice(30, 10, -7), slice(2000, 3000)],
    ],
    ids=str,
)
def test_its_slices_are_those_of_bytes(part: slice) -> None:
    assert BODY[part] == CONTENT[part]
    assert isinstance(BODY[part], Body)


class PyBuffer(ctypes.Structure):
    """The beginning of Python's `Py_buffer`, and room for the rest."""

    _fields_: ClassVar = [("buf", ctypes.c_void_p), ("rest", ctypes.c_byte * 200)]


def start(body: Body) -> int:
    """Where the bytes are."""
    info = PyBuffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(body), ctypes.byref(info), 0)
    address: int = info.buf
    ctypes.pythonapi.PyBuffer_Release(ctypes.byref(info))
    return address


def test_views_and_slices_share_its_memory() -> None:
    view = memoryview(BODY)
    assert view.readonly
    assert (view.format, view.itemsize, view.nbytes, view.c_contiguous) == ("B", 1, 1024, True)
    assert start(BODY[100:200]) == start(BODY) + 100
    with pytest.raises(TypeError):
        view[0] = 1
    with pytest.raises(BufferError):
        ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(BODY), ctypes.byref(PyBuffer()), PYBUF_WRITABLE)


def test_a_view_keeps_the_memory() -> None:
    body = Body(b"kept")
    view = memoryview(body)[1:]
    del body
    assert bytes(view) == b"ept"


def test_it_equals_and_hashes_like_bytes() -> None:
    assert Body(b"a") == Body(b"a") == b"a"
    assert b"a" == Body(b"a")  # noqa: SIM300 - the other way round
    assert Body(b"a") == bytearray(b"a")
    assert Body(b"a") == memoryview(b"a")
    assert Body(b"a") != b"b"
    assert Body(b"a") != "a"
    assert hash(Body(b"a")) == hash(b"a")
    assert {b"a": 1}[Body(b"a")] == 1  # type: ignore[index]


def test_it_can_be_pickled_and_does_not_show_its_content() -> None:
    assert pickle.loads(pickle.dumps(BODY)) == BODY
    assert repr(Body(b"canary")) == str(Body(b"canary")) == "Body(6 bytes)"
