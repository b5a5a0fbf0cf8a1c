"""Uploads of exactly a limit, and of one more."""

import asyncio

import pytest
from starlette.requests import Request

from cancernet.serving.problems import Refusal
from cancernet.serving.uploads import OTHER_FIELDS, Body, Memory

FORM = "multipart/form-data; boundary=b"
FILE = b'--b\r\nContent-Disposition: form-data; name="i"; filename="a"\r\n\r\nxyz\r\n'
FIELD = b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nxyz\r\n'
END = b"--b--"


def request_of(body, *, announced=None, piece=7):
    """A request whose body arrives in pieces."""
    messages = [
        {
            "type": "http.request",
            "body": body[place : place + piece],
            "more_body": place + piece < len(body),
        }
        for place in range(0, len(body), piece)
    ]

    async def receive():
        return messages.pop(0)

    headers = [(b"content-type", FORM.encode())]
    if announced is not None:
        headers.append((b"content-length", str(announced).encode()))
    return Request({"type": "http", "headers": headers}, receive)


def read(body, *, limit=10_000, most=3, memory=10_000, **arrives):
    """Reads the files of a form."""
    reader = Body(request_of(body, **arrives), Memory(memory), limit=limit)
    return asyncio.run(reader.uploads(most=most, seconds=10))


@pytest.mark.parametrize("announced", [False, True])
def test_a_body_as_large_as_the_limit_is_read(announced):
    body = FILE + END
    length = len(body) if announced else None
    [upload] = read(body, limit=len(body), announced=length)
    assert (upload.field, upload.name, upload.content) == ("i", "a", b"xyz")
    with pytest.raises(Refusal) as refused:
        read(body, limit=len(body) - 1, announced=length)
    assert refused.value.status == 413


def test_bodies_as_large_as_the_memory_are_read():
    body = FILE + END
    assert len(read(body, memory=len(body))) == 1
    with pytest.raises(Refusal) as refused:
        read(body, memory=len(body) - 1)
    assert refused.value.status == 503


def test_memory_is_counted_over_all_bodies_and_given_back():
    memory, body = Memory(2 * len(FILE + END)), FILE + END
    bodies = [Body(request_of(body), memory, limit=10_000) for _ in range(3)]
    for reader in bodies[:2]:
        assert len(asyncio.run(reader.uploads(most=3, seconds=10))) == 1
        assert reader.held == len(body)
    with pytest.raises(Refusal):
        asyncio.run(bodies[2].uploads(most=3, seconds=10))
    for reader in bodies:
        reader.release()
        assert reader.held == 0
    assert memory.held == 0


def test_as_many_files_and_other_fields_as_the_limit_are_read():
    assert len(read(3 * FILE + END)) == 3
    assert len(read(3 * FILE + OTHER_FIELDS * FIELD + END, limit=10**6)) == 3
    for body in (4 * FILE + END, 3 * FILE + (OTHER_FIELDS + 1) * FIELD + END):
        with pytest.raises(Refusal) as refused:
            read(body, limit=10**6)
        assert refused.value.status == 413


def test_a_body_much_larger_than_the_limit_is_not_read_to_its_end():
    body = FILE + 100 * b"0123456789" + END
    with pytest.raises(Refusal) as refused:
        read(body, limit=50, piece=10)
    assert refused.value.status == 413
