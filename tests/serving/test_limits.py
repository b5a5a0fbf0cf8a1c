"""Uploads of exactly a limit, and of one more."""

import asyncio

import pytest
from starlette.requests import Request

from cancernet.serving.http.refusals import Refusal
from cancernet.serving.http.uploads import OTHER_FIELDS, Memory, read_uploads

FORM = "multipart/form-data; boundary=b"
FILE = b'--b\r\nContent-Disposition: form-data; name="i"; filename="a"\r\n\r\nxyz\r\n'
FIELD = b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nxyz\r\n'
END = b"--b--"


def read(body, *, limit=10_000, most=3, memory=10_000, announced=None, piece=7):
    """Reads a form that arrives in pieces; returns the files and the memory."""
    places = range(0, len(body), piece)
    messages = [
        {
            "type": "http.request",
            "body": body[place : place + piece],
            "more_body": place + piece < len(body),
        }
        for place in places
    ]

    async def receive():
        return messages.pop(0)

    headers = [(b"content-type", FORM.encode())]
    if announced is not None:
        headers.append((b"content-length", str(announced).encode()))
    request = Request({"type": "http", "headers": headers}, receive)
    held = Memory(memory)
    with held.share() as share:
        return asyncio.run(read_uploads(request, share, limit=limit, most=most, seconds=10))


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


def test_memory_counts_all_shares_and_takes_them_back():
    memory = Memory(10)
    with memory.share() as one, memory.share() as other:
        one.take(6)
        other.take(4)
        with pytest.raises(Refusal):
            other.take(1)
        assert (one.held, other.held) == (6, 4)
    with memory.share() as again:
        again.take(10)


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
