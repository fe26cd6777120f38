"""The `verify` command: compare the index with the packages, and repair what can be repaired."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from chart_releaser.charts.chart import Chart
from chart_releaser.commands.threads import call_in_threads, call_unless_stopped
from chart_releaser.destinations.audit import ADOPT_ALL, Audit, Content, index_findings
from chart_releaser.destinations.findings import Finding, Repair, StoredPackage, repair_index
from chart_releaser.destinations.listed import find_unknown_digests, is_strict_version, match_packages
from chart_releaser.errors import BrokenIndexError, ChartError, ChartReleaserError, DestinationError
from chart_releaser.helm.archive import Allowance, unpack
from chart_releaser.helm.chart_keys import correct_key_case
from chart_releaser.helm.chart_rules import check_metadata
from chart_releaser.helm.yaml import as_string
from chart_releaser.index.index import Index, build_entry

if TYPE_CHECKING:
    import threading

    from chart_releaser.attempts import Retry
    from chart_releaser.destinations import Auditable

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

_NAMED = 20  # charts in a hint, at most


@dataclass
class VerifyReport:
    """What `verify` found and repaired; `entries` and `packages` count what was checked."""

    entries: int = 0
    packages: int = 0
    findings: list[Finding] = field(default_factory=list)
    retried: list[Retry] = field(default_factory=list)
    """What failed at first and was tried again."""

    @property
    def repaired(self) -> list[Finding]:
        """The findings that were repaired."""
        return [finding for finding in self.findings if finding.repaired]

    @property
    def exit_code(self) -> int:
        """1 if a finding was not repaired, otherwise 0."""
        return 0 if all(finding.repaired for finding in self.findings) else ChartReleaserError.exit_code

    def as_json(self) -> dict[str, Any]:
        """Return the document of `verify --json`."""
        return {
            "entries": self.entries,
            "packages": self.packages,
            "findings": [finding.as_json() for finding in self.findings],
            "retried": [one.as_json() for one in self.retried],
        }


@dataclass(frozen=True)
class _Workers:
    """Runs calls in `threads` threads until `stop` is set."""

    threads: int
    stop: threading.Event

    def each(self, calls: Mapping[K, Callable[[], T]]) -> dict[K, T | ChartReleaserError]:
        """Return the result of each call, or its ChartReleaserError. Raises any other error."""
        outcomes: dict[K, T | ChartReleaserError] = {}
        for key, outcome in zip(calls, call_in_threads(list(calls.values()), self.threads, self.stop), strict=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, ChartReleaserError):
                raise outcome
            outcomes[key] = outcome
        return outcomes


def verify(
    destination: Auditable,
    *,
    repair: bool,
    threads: int,
    stop: threading.Event,
    names: Collection[str] = (),
    adopt: Collection[str] = (),
    only: Collection[str] = (),
) -> VerifyReport:
    """Compare the index with the packages in `destination`; with `repair`, repair what needs no change to a package.

    `names` are the configured charts. Packages and leftovers of other charts are left alone, unless the index lists the
    chart or `adopt` contains its name or `*`. With `only`, findings about other charts are not reported.

    Raises DestinationError if the destination can't be read; failed repairs are in the report.
    """
    workers = _Workers(threads, stop)
    index, unreadable = call_unless_stopped(stop, partial(_open, destination))
    stored = call_unless_stopped(stop, destination.stored)
    listed = match_packages(index, stored, destination.locate)
    report = VerifyReport(len(listed), sum(item.state == "published" for item in stored))

    digests = workers.each(
        {url: partial(_download_digest, destination, url, at) for url, at in find_unknown_digests(listed).items()}
    )
    audit = Audit(listed, stored, digests)
    contents = workers.each({item.url: partial(_read_package, destination, item) for item in audit.unread()})
    findings = [item for item in audit.findings(contents, names, adopt) if not only or item.chart in only]

    report.findings = [*_check_index(index, unreadable, findings), *findings]
    if repair:
        _repair(destination, report, stop)
    return report


def _open(destination: Auditable) -> tuple[Index, str]:
    """Return the index, and the reason if it can't be read, in which case the index is empty."""
    try:
        index = destination.open_index()
    except BrokenIndexError as error:
        return Index.parse(None), error.what
    return index, "" if index.text else "there is no index.yaml, so Helm can't add this repository"


def _check_index(index: Index, unreadable: str, findings: list[Finding]) -> list[Finding]:
    """Return the findings about the index itself; `findings` are those about its entries and packages."""
    if not unreadable:
        return index_findings(index)
    left = sorted({one.chart for one in findings if one.kind == "unlisted" and one.repair is None})
    adopt = " ".join(f"--adopt {name}" for name in left[:_NAMED])
    all_of_them = f", or --adopt '{ADOPT_ALL}' for all {len(left)} charts" if len(left) > 1 else ""
    if any(finding.repair is not None and finding.repair.add is not None for finding in findings):
        remedy = "correct it by hand, or --repair rebuilds it from the packages here"
        if left:
            remedy += f", but lists charts that are not configured only with {adopt}{all_of_them}"
        return [Finding("unreadable", "", "", unreadable, remedy, Repair())]
    remedy = "there are no packages here to rebuild it from: correct it by hand, or run update to publish some"
    if left:
        remedy = f"no package here is of a configured chart: correct it by hand, or give --repair {adopt}{all_of_them}"
    return [Finding("unreadable", "", "", unreadable, remedy)]


def _download_digest(destination: Auditable, url: str, stored: StoredPackage | None) -> str | None:
    data = destination.fetch(url, stored)
    return None if data is None else hashlib.sha256(data).hexdigest()


def _read_package(destination: Auditable, stored: StoredPackage) -> Content:
    """Return the index entry of a package, made from its Chart.yaml, or the reason why it can't be listed.

    Raises DestinationError if it can't be downloaded completely.
    """
    data = destination.fetch(stored.url, stored)
    if data is None:
        raise DestinationError("it has disappeared in the meantime")
    digest = hashlib.sha256(data).hexdigest()
    if stored.digest is not None and stored.digest != digest:
        raise DestinationError(f"it arrived with digest {digest} instead of {stored.digest}")
    try:
        chart_yaml = unpack(data, stored.filename, Allowance()).get("Chart.yaml")
        if chart_yaml is None:
            return "it has no Chart.yaml"
        text = correct_key_case(chart_yaml.decode("utf-8-sig"), where="its Chart.yaml")
        metadata = Chart(path=stored.filename, chart_yaml=text).metadata
        check_metadata(metadata, where="its Chart.yaml")
        made = build_entry(metadata, digest=digest, url=stored.url, created=stored.created or datetime.now(UTC))
    except ChartError as error:
        return error.what
    except UnicodeDecodeError:
        return "its Chart.yaml is not UTF-8"
    name, version = as_string(metadata.get("name")), as_string(metadata.get("version"))
    if f"{name}-{version}" != stored.label:
        return f"its Chart.yaml says {name} {version}"
    if not is_strict_version(version):
        return f"its version {version} is not a strict semantic version"
    return made


def _repair(destination: Auditable, report: VerifyReport, stop: threading.Event) -> None:
    """Repair what can be repaired, beginning with the index, in one write. Ends between two writes if `stop` is set."""
    to_index = [at for at, finding in enumerate(report.findings) if finding.repair and not finding.repair.discard]
    if to_index:
        now = datetime.now(UTC)
        repairs = [one for at in to_index if (one := report.findings[at].repair) is not None]
        message = f"Repair the index: {len(to_index)} finding{'s' if len(to_index) > 1 else ''}"
        _try_repair(
            report, to_index, lambda: destination.rewrite(lambda index: repair_index(index, repairs, now), message)
        )
    for at, finding in enumerate(report.findings):
        if finding.repair is not None and finding.repair.discard is not None:
            if stop.is_set():
                raise KeyboardInterrupt
            _try_repair(report, [at], partial(destination.discard, finding.repair.discard))


def _try_repair(report: VerifyReport, findings: list[int], repair: Callable[[], None]) -> None:
    """Try a repair, and record in its findings whether it succeeded."""
    try:
        repair()
    except ChartReleaserError as error:
        for at in findings:
            remedy = f"it could not be repaired: {error}"
            report.findings[at] = replace(report.findings[at], remedy=remedy)
    else:
        for at in findings:
            report.findings[at] = replace(report.findings[at], repaired=True)
