"""An image that the download holds twice and whose first file is damaged: the second is taken."""

import dataclasses
from collections import defaultdict
from collections.abc import Callable

from cancernet.building.identify import SECOND_COPY
from cancernet.building.transfer import Transferred
from cancernet.dataset.images import Images, LeftOutFile

Bring = Callable[[Images, list[int]], Transferred]


def take_second_copies(
    images: Images, left_out: list[LeftOutFile], done: Transferred, bring: Bring
) -> tuple[Images, list[LeftOutFile], Transferred]:
    """Lets second copies stand in for files that could not be read or decoded.

    Args:
        images: all that were read.
        left_out: files that the paths told to leave out, the second copies among them.
        done: what reading the images gave. Its stamps stay those of the first files: by
            them a later build sees that nothing has changed.
        bring: reads the images at some places, with the sources they have by then.

    Returns:
        The same three: the images with the sources that were taken, the damaged files
        left out in place of their copies.
    """
    copies = defaultdict(list)
    for file in left_out:
        if file.reason == SECOND_COPY:
            copies[file.detail].append(file.source)
    first, failed = images.sources, dict(done.failed)
    damaged, taken = [], set()
    while places := [place for place in sorted(failed) if copies[first[place]]]:
        sources = list(images.sources)
        for place in places:
            sources[place] = copies[first[place]].pop(0)
        images = dataclasses.replace(images, sources=sources)
        again = bring(images, places)
        for number, place in enumerate(places):
            if number in again.failed:
                sources[place] = first[place]
                continue
            file = failed.pop(place)
            told = f"{file.detail}; its second copy {sources[place]} is taken"
            damaged.append(file._replace(detail=told))
            taken.add(sources[place])
            done.sha256[place] = again.sha256[number]
            done.width[place], done.height[place] = again.width[number], again.height[number]
    kept = [file for file in left_out if file.source not in taken]
    return images, [*kept, *damaged], dataclasses.replace(done, failed=failed)
