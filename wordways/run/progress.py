"""Progress bars with a time estimate, shown only on a terminal; whoever asks for the status is told the same."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from wordways.run.working import note


@contextmanager
def progress_bar(title: str, total: int, enabled: bool) -> Iterator[Callable[[int], None]]:
    """Yields a function that advances the bar by a count."""
    with tqdm(total=total, desc=title, disable=not (enabled and sys.stderr.isatty()), leave=False) as bar:
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            bar.update(count)
            done += count
            note(title, done, total)

        note(title, 0, total)
        yield advance
