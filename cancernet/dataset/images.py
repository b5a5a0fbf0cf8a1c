"""The images of a build as columns.

A data set has hundreds of thousands of images: arrays keep them in some 150 bytes an
image where one object each would take a kilobyte.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Images:
    """Images in a fixed order; every array has one entry an image.

    Attributes:
        sources: paths relative to the source folder, with `/`.
        patients: the ids that occur, sorted.
        patient: int32, places in `patients`.
        label: int8, places in the data set's classes.
        x, y: int64 pixels, -1 where the name does not say.
        common_name: bool, whether another image of the class has the same file name.
        part: int8, the split the image was published in, a place in `config.SPLITS`;
            -1 where it was in none.
    """

    sources: list[str]
    patients: list[str]
    patient: np.ndarray
    label: np.ndarray
    x: np.ndarray
    y: np.ndarray
    common_name: np.ndarray
    part: np.ndarray

    def __len__(self) -> int:
        return len(self.sources)

    def take(self, chosen: np.ndarray) -> "Images":
        """Returns the images at these places, and only the patients they have."""
        used, patient = np.unique(self.patient[chosen], return_inverse=True)
        return Images(
            sources=[self.sources[i] for i in chosen.tolist()],
            patients=[self.patients[i] for i in used.tolist()],
            patient=patient.astype(np.int32),
            label=self.label[chosen],
            x=self.x[chosen],
            y=self.y[chosen],
            common_name=self.common_name[chosen],
            part=self.part[chosen],
        )

    def counts(self, classes: int) -> np.ndarray:
        """Returns the number of images of each patient in each class, (patients, classes)."""
        cells = self.patient.astype(np.int64) * classes + self.label
        flat = np.bincount(cells, minlength=len(self.patients) * classes)
        return flat.reshape(len(self.patients), classes)


def first_alike(digests: np.ndarray) -> np.ndarray:
    """Returns, for each row of a uint8 array (n, 8*k), the place of the first equal row.

    The rows must be digests: only rows with the same first bytes are compared as a whole,
    and few unequal digests begin with the same bytes.
    """
    begins = np.ascontiguousarray(digests[:, :8]).view(np.uint64).reshape(-1)
    order = np.argsort(begins)
    alike = np.zeros(len(order) + 1, bool)
    alike[1:-1] = begins[order[1:]] == begins[order[:-1]]
    some = np.sort(order[alike[1:] | alike[:-1]])
    first = np.arange(len(digests))
    first[some] = some[_first_equal(np.ascontiguousarray(digests[some]).view(np.uint64))]
    return first


def _first_equal(words: np.ndarray) -> np.ndarray:
    # The sort is stable: of equal rows the one that came first stays first.
    order = np.lexsort(words.T)
    ranked = words[order]
    begins = np.ones(len(words), bool)
    begins[1:] = (ranked[1:] != ranked[:-1]).any(axis=1)
    first = np.empty(len(words), np.int64)
    first[order] = order[np.flatnonzero(begins)[np.cumsum(begins) - 1]]
    return first
