"""Requests that cannot be served: a status and one sentence, never a path or a traceback."""


class Refusal(Exception):
    """An answer that is not the one that was asked for.

    Attributes:
        status: HTTP status, 400 to 599.
        sentence: what was wrong and what to do, for a person to read.
        headers: further headers of the answer.
        extra: further fields of the answer.
    """

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        headers: dict[str, str] | None = None,
        extra: dict[str, object] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers or {}
        self.extra = extra or {}


def busy(what: str, *, seconds: int = 1) -> Refusal:
    """503 with the time after which trying again is worth it."""
    return Refusal(
        503,
        f"{what}; try again in {seconds} s",
        headers={"Retry-After": str(seconds)},
    )


class Gone(Exception):
    """The client closed the connection; there is nobody to answer."""
