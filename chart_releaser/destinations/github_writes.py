"""Writing requests to GitHub that are repeated until they have had their effect."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from chart_releaser.attempts import RetryPolicy
from chart_releaser.errors import GitHubError, LostAnswerError

if TYPE_CHECKING:
    from chart_releaser.github.api import GitHubApi

T = TypeVar("T")

_RETRY = RetryPolicy(attempts=5, first_pause=1.0)


def send_until_effective(
    api: GitHubApi, send: Callable[[], T], look_up: Callable[[], T | None], *, missing: bool = True
) -> T:
    """Send a writing request and return its answer, or what `look_up` finds where the answer was lost.

    After a lost answer, and after a 422, `look_up` is asked for the effect before the request is sent again: an earlier
    attempt or another run may have had it. With `missing` a 404 is treated as a lost answer, because GitHub does not
    always find at once what it has just created; where the thing is gone for good, `look_up` raises the 404 itself.

    Raises GitHubError when the attempts are used up, or at once for any other refusal.
    """
    for failures in itertools.count(1):
        try:
            return send()
        except GitHubError as error:
            lost = isinstance(error, LostAnswerError) or (missing and error.status == 404)
            if not lost and error.status != 422:
                raise
            pause = _RETRY.pause_after(failures) if lost else None
            if lost:
                api.attempts.log.note(error.what)
            if pause is not None:
                api.pacing.pause(pause)
            existing = look_up()
            if existing is not None:
                return existing
            if pause is None:
                raise
    raise AssertionError("unreachable")
