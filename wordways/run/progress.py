"""Progress bars with a time estimate, shown only on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress_bar(title: str, total: int, enabled: bool) -> Iterator[Callable[[int], None]]:
    """Yields a function that advances the bar by a count."""
    with tqdm(total=total, desc=title, disable=not (enabled and sys.stderr.isatty()), leave=False) as bar:

        def advance(count: int) -> None:
            bar.update(count)

        yield advance
