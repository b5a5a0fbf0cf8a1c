"""The classes that figures are of: their names, their words, and which are positive."""

import dataclasses

from cancernet.measures.scored import positive_indices


@dataclasses.dataclass(frozen=True, kw_only=True)
class Classes:
    """Names, words and the positive ones.

    Attributes:
        classes: names in the order of the probabilities.
        words: what each class means to a reader, in the same order.
        positive: names of the positive classes, some but not all.

    Raises:
        ValueError: they do not fit each other.
    """

    classes: tuple[str, ...]
    words: tuple[str, ...]
    positive: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.words) != len(self.classes):
            raise ValueError(
                f"{len(self.classes)} classes need as many words, but there are {len(self.words)}"
            )
        positive_indices(self.classes, self.positive)

    @property
    def positive_indices(self) -> list[int]:
        """Columns of the positive classes."""
        return positive_indices(self.classes, self.positive)

    @property
    def positive_word(self) -> str:
        """What positive means to a reader; `positive` when that is several classes."""
        return self._word(positive=True, several="positive")

    @property
    def negative_word(self) -> str:
        """What the rest means to a reader; `the rest` when that is several classes."""
        return self._word(positive=False, several="the rest")

    @property
    def positive_words(self) -> str:
        """The words of all positive classes."""
        return "; ".join(self.words[index] for index in self.positive_indices)

    def _word(self, *, positive: bool, several: str) -> str:
        named = zip(self.classes, self.words, strict=True)
        words = [word for name, word in named if (name in self.positive) == positive]
        return words[0] if len(words) == 1 else several
