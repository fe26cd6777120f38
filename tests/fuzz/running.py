"""How the properties of this folder are run: few examples, always the same, in a test run; many random ones for long.

`FUZZ_MINUTES` chooses the long mode and says how long all collected properties may take together, `FUZZ_EXAMPLES` how
many examples each property gets in the short one.
"""

from __future__ import annotations

import functools
import inspect
import os
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

MINUTES = float(os.environ.get("FUZZ_MINUTES") or 0)
_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES") or 0)
_ROUND = 50
"""Cases between two looks at the clock in the long mode."""


class Tally:
    """What was run: for each property its examples and seconds; `share` is the time in seconds that each one has."""

    def __init__(self) -> None:
        self.share = 0.0
        self.examples: dict[str, int] = {}
        self.seconds: dict[str, float] = {}


TALLY = Tally()


class Batch(list[Any]):
    """Cases that a failure does not show: it names the one that failed itself."""

    def __repr__(self) -> str:
        return f"<{len(self)} cases>"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(repr(self))


@st.composite
def batch_of(draw: st.DrawFn, cases: st.SearchStrategy[Any], size: int) -> Batch:
    """Batches of `size` cases, for one start of Helm each."""
    return Batch(draw(cases) for _ in range(size))


def prop(*, examples: int, batch: int = 1, **strategies: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """Make a test of a property: `examples` are those of the short mode, in which every run has the same ones.

    `batch` is how many cases one example holds. In the long mode the test goes on with random examples
    until its share of the time is over.
    """

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        name = test.__name__

        @functools.wraps(test)
        def counted(*arguments: Any, **named: Any) -> None:
            TALLY.examples[name] = TALLY.examples.get(name, 0) + batch
            test(*arguments, **named)

        options = settings(
            max_examples=max(_ROUND // batch, 1) if MINUTES else _EXAMPLES or examples,
            derandomize=not MINUTES,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
            # Making a batch smaller takes long and says no more: the failure names the case.
            phases=[Phase.generate] if batch > 1 else [Phase.generate, Phase.shrink],
        )
        wrapped = options(given(**strategies)(counted))

        @functools.wraps(wrapped)
        def run(*arguments: Any, **named: Any) -> None:
            start = time.monotonic()
            try:
                wrapped(*arguments, **named)
                while time.monotonic() - start < TALLY.share:
                    wrapped(*arguments, **named)
            finally:
                TALLY.seconds[name] = time.monotonic() - start

        run.__signature__ = inspect.signature(wrapped)  # type: ignore[attr-defined]
        return run

    return decorate
