"""Version ranges as in Helm (constraints of Masterminds/semver v3)."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from semver import Version

LONGEST = 256  # characters of a version
LARGEST = 2**64 - 1  # Helm keeps each number in 64 bits and rejects larger ones
PRE_AND_BUILD = r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+(?P<build>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"


@functools.lru_cache(maxsize=1 << 14)  # each source of a repository parses all its tags, several times
def strict_version(text: str) -> Version | None:
    """Parse `text` as a semantic version 2.0.0 within Helm's bounds. Return None if it is not one."""
    if len(text) > LONGEST:
        return None
    try:
        version = Version.parse(text)
    except ValueError:
        return None
    return version if max(version.to_tuple()[:3]) <= LARGEST else None


_Test = Callable[[Version, Version], bool]


@dataclass(frozen=True)
class _Comparator:
    """One comparison of a range, as bounds: `~1.2` means at least 1.2.0 and below 1.3.0."""

    bounds: tuple[tuple[_Test, Version], ...]
    stable_only: bool
    negated: bool = False

    def matches(self, version: Version, *, prereleases: bool) -> bool:
        if version.prerelease and self.stable_only and not prereleases:
            return False
        return all(test(version, bound) for test, bound in self.bounds) != self.negated

    @property
    def floor(self) -> Version | None:
        """The version below which nothing matches, or None without a lower bound."""
        if self.negated:
            return None
        return next((bound for test, bound in self.bounds if test in {operator.ge, operator.gt, operator.eq}), None)


_OPERATOR = r"(?P<op>=|!=|>=|=>|<=|=<|>|<|~>|~|\^|)"
_NUMBER = r"(?:[0-9]+|[xX*])"
_PARTIAL = rf"v?(?P<major>{_NUMBER})(?:\.(?P<minor>{_NUMBER}))?(?:\.(?P<patch>{_NUMBER}))?{PRE_AND_BUILD}"
_COMPARATOR = re.compile(rf"{_OPERATOR}\s*{_PARTIAL}(?=[\s,<>=!~^]|$)", re.ASCII)
_SEPARATOR = re.compile(r"\s*,\s*|\s*", re.ASCII)
_HYPHEN = re.compile(r"(?:^|(?<=[\s,]))(v?[0-9xX*][^\s,]*)\s+-\s+(v?[0-9xX*][^\s,]*)", re.ASCII)
_ALLOWED = "write for example >=1.20.0 <2, ~1.2, ^1.2, 1.x, 1.2 - 1.4; a comma or space for and, || for or"


@dataclass(frozen=True)
class Range:
    """A version range with the semantics of Helm (constraints of Masterminds/semver v3).

    A comparison that does not name a prerelease matches none. Two cases differ from Helm 3.17: `^*` matches any
    version, as the library's documentation says, and `>=1.2<2` is accepted, as in Helm 3.10. Helm 4 agrees on stable
    versions, but a prerelease in one comparison admits them to its whole alternative, and `!=1.2.3` matches none.
    """

    text: str
    alternatives: tuple[tuple[_Comparator, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Range:
        """Parse a range. Raises ValueError with what is wrong and what may be written."""
        if len(text) > 10 * LONGEST:
            raise ValueError("the range is too long")
        return cls(text, tuple(_alternative(part, text) for part in text.split("||")))

    def matches(self, version: Version, *, prereleases: bool = False) -> bool:
        """Whether `version` is in the range. With `prereleases` they count as ordinary versions.

        A partial version in a bound then includes its prereleases: 2.0.0-rc.1 is in `2.x` and not in `<2`.
        """
        return any(all(c.matches(version, prereleases=prereleases) for c in part) for part in self.alternatives)

    @property
    def floor(self) -> Version | None:
        """The version below which nothing matches, or None without a lower bound."""
        floors = [max((c.floor for c in part if c.floor is not None), default=None) for part in self.alternatives]
        known = [floor for floor in floors if floor is not None]
        return min(known) if len(known) == len(floors) else None

    def __str__(self) -> str:
        return self.text


def _alternative(part: str, text: str) -> tuple[_Comparator, ...]:
    def wrong(what: str) -> ValueError:
        return ValueError(f"{text!r} is not a version range: {what}; {_ALLOWED}")

    rest = _HYPHEN.sub(r">=\1 <=\2", part).strip()
    if not rest:
        raise wrong("nothing stands on one side of ||" if "||" in text else "it is empty")
    comparators = []
    while rest:
        match = _COMPARATOR.match(rest)
        if match is None:
            raise wrong(f"{rest!r} is not understood")
        try:
            comparators.append(_comparator(match))
        except ValueError as error:
            raise wrong(f"{match.group()!r} is not a version: {error}") from None
        separator = _SEPARATOR.match(rest, match.end())
        end = match.end() if separator is None else separator.end()
        if end == len(rest) and end > match.end():
            raise wrong("nothing stands after the last comma")
        rest = rest[end:]
    return tuple(comparators)


def _comparator(match: re.Match[str]) -> _Comparator:  # noqa: C901 - one case for each operator
    """Return the bounds for an operator and a full or partial version. Raises ValueError for an invalid version."""
    numbers: list[int] = []
    for part in match.group("major", "minor", "patch"):
        if part is None or part in "xX*":
            break  # as in Helm, numbers after a wildcard are ignored
        if len(part) > LONGEST or int(part) > LARGEST:
            raise ValueError("a number is too large")
        numbers.append(int(part))
    given = len(numbers)
    prerelease: str | None = match["pre"]
    base = Version(*_three(numbers), prerelease=prerelease)
    if strict_version(str(base)) is None:
        raise ValueError("a number in a prerelease must not begin with 0")
    # A partial version includes its prereleases, which matter only if prereleases are allowed.
    low = base if prerelease or given == 3 else base.replace(prerelease="0")

    ge, lt = operator.ge, operator.lt

    # In Helm, excluding a full version (`!=1.2.3`) does not exclude prereleases.
    stable_only = not prerelease and not (match["op"] == "!=" and given == 3)

    def bounded(*bounds: tuple[_Test, Version], negated: bool = False) -> _Comparator:
        return _Comparator(bounds, stable_only, negated)

    anything = bounded((ge, low))
    match match["op"]:
        case ">":
            return bounded((ge, _above(base, given))) if given in {1, 2} else bounded((operator.gt, base))
        case ">=" | "=>":
            return anything
        case "<":
            return bounded((lt, low))
        case "<=" | "=<":
            # Helm reads `<=*` as `<=0.0`
            return bounded((operator.le, base)) if given == 3 else bounded((lt, _above(base, given or 2)))
        case "!=":
            if given in {1, 2}:
                if prerelease and given == 2:
                    # In Helm `!=1.2-rc.1` excludes that prerelease of every patch of 1.2.
                    same = (_same_prerelease, base)
                    return bounded(same, (ge, base.replace(prerelease="0")), (lt, _above(base, 2)), negated=True)
                return bounded((ge, base.replace(prerelease="0")), (lt, _above(base, given)), negated=True)
            return bounded((operator.eq, base), negated=True)
        case "^":
            if given == 0:
                return anything
            # The leftmost non-zero number is fixed; of 0, 0.0 and 0.0.0 it is the last number.
            kept = next((place for place, number in enumerate(numbers, 1) if number), given)
            return bounded((ge, low), (lt, _above(base, kept)))
        case "" | "=" if given == 3:
            return bounded((operator.eq, base))
        case _:  # ~ and, for a partial version, = and no operator
            if given == 0 or numbers == [0, 0, 0]:
                return anything  # in Helm `~0.0.0` matches any version
            return bounded((ge, low), (lt, _above(base, min(given, 2))))


def _same_prerelease(version: Version, other: Version) -> bool:
    return version.prerelease == other.prerelease


def _above(version: Version, kept: int) -> Version:
    """Return the lowest version above all those that share the first `kept` numbers of `version`."""
    numbers = [version.major, version.minor, version.patch][:kept]
    numbers[-1] += 1
    return Version(*_three(numbers), prerelease="0")


def _three(numbers: list[int]) -> tuple[int, int, int]:
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    return major, minor, patch
