"""Tell what looks wrong in a chart that can be published all the same: versions and images that do not fit its tag."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

from semver import Version

from chart_releaser import yamlio
from chart_releaser.charts.chart import Chart
from chart_releaser.helm import yaml as helmyaml
from chart_releaser.helm.version_ranges import strict_version
from chart_releaser.helm.yaml import Value, as_string


class ReleaseInfo(Protocol):
    """What is known of the release that a chart is made from."""

    @property
    def tag(self) -> str:
        """The upstream tag."""

    @property
    def version(self) -> str:
        """The version that the tag stands for."""

    @property
    def label(self) -> str | None:
        """The tag as a tag of images; None where it can't be one."""


_FIRST_VERSION = Version(0, 1, 0)
"""What `helm create` writes. Charts whose pipeline sets the version have this one or a lower one in the repository."""
# Tags that are moved from image to image, and versions that a repository has until a pipeline replaces them.
_MOVING = r"latest|main|master|head|edge|canary|nightly|dev(?:el(?:opment)?)?"
_PLACEHOLDER = re.compile(rf"v?0\.(?:0\.[01]|1\.0)(?:[-+].*)?|v?0\.0|{_MOVING}|unset|placeholder", re.IGNORECASE)
_LOOSE_TAG = re.compile(rf"{_MOVING}|v?0\.0\.0", re.IGNORECASE)
_APP_VERSION = re.compile(r"\.Chart\.AppVersion\b")
# Lines that use the version for a label, or only ask whether there is one.
_NO_IMAGE = re.compile(
    r"app\.kubernetes\.io/version|helm\.sh/chart|\{\{-?\s*(?:if|with)\s+[$.\w]*\.Chart\.AppVersion\s*-?\}\}"
)
# What every values.yaml with such an image has; the others need not be parsed.
_MAYBE_LOOSE = re.compile(
    rf"\btag[\"']?\s*:\s*[\"']?(?:{_MOVING}|v?0\.0\.0)\b|image[\"']?\s*:\s*[\"']?[^\s\"'#]*[/:]", re.IGNORECASE
)
_IMAGE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(?::[0-9]+)?(?:/[a-z0-9][a-z0-9._-]*)+|[a-z0-9][a-z0-9._-]*")
_PINNED = re.compile(r"tag|version|digest|sha", re.IGNORECASE)
_SHOWN = 5
_MAX_DEPTH = 30


def find_notes(upstream: Sequence[Chart], finished: Chart, release: ReleaseInfo) -> Iterator[str]:
    """Yield what looks wrong: in the charts that upstream has, as they were read, and in the finished chart."""
    if release.label is None and (not finished.metadata.get("appVersion") or _has_latest(finished)):
        yield f"the tag {release.tag} is no legal image tag, so a missing appVersion and tag: latest stay as they are"
    for chart in upstream:
        yield from filter(None, [version_note(chart, release.version)])
    for chart in _own_charts(finished):
        yield from filter(None, [app_version_note(chart, release.version), image_note(chart)])


def _own_charts(chart: Chart) -> Iterator[Chart]:
    """Yield `chart` and the sub-charts, at any depth, that are the repository's own."""
    yield chart
    for subchart in chart.subcharts:
        if subchart.kept is None:
            yield from _own_charts(subchart)


def _has_latest(chart: Chart) -> bool:
    return any(image_note(each) for each in _own_charts(chart))


def version_note(upstream: Chart, version: str) -> str:
    """Return a note if Chart.yaml has another version than the tag; empty if it fits or is a placeholder.

    `upstream` is the chart as it was read; `version` is what its tag stands for.
    """
    own = strict_version(as_string(upstream.metadata.get("version")).removeprefix("v"))
    if own is None or own <= _FIRST_VERSION or own.replace(build=None) == Version.parse(version).replace(build=None):
        return ""
    return f"{upstream.path}/Chart.yaml has version {own}, but the tag stands for {version}"


def app_version_note(chart: Chart, version: str) -> str:
    """Return a note if the templates of `chart` take an image's tag from an `appVersion` that is a placeholder.

    `version` is that of the release: what is equal to it is none.
    """
    own = as_string(chart.metadata.get("appVersion"))
    is_placeholder = _PLACEHOLDER.fullmatch(own) is not None and own.removeprefix("v") != version
    if not is_placeholder or not any(map(_uses_app_version, _templates(chart))):
        return ""
    return (
        f"{chart.path}/Chart.yaml has appVersion {own}, which looks like a placeholder, and templates use it for "
        "images; set appVersion: tag if images have the tags of the releases"
    )


def image_note(chart: Chart) -> str:
    """Return a note if values.yaml of `chart` has images without a fixed tag: what they run can change at any time."""
    where = f"{chart.path}/values.yaml"
    if not _MAYBE_LOOSE.search(chart.values or ""):
        return ""
    values = helmyaml.construct(yamlio.compose(chart.values or "", where=where), where=where)
    images = list(dict.fromkeys(_loose_images(values, (), 0)))
    if not images:
        return ""
    more = f" and {len(images) - _SHOWN} more" if len(images) > _SHOWN else ""
    return (
        f"{where} has images without a fixed tag: {', '.join(images[:_SHOWN])}{more}; set their tags when you install"
    )


def _templates(chart: Chart) -> Iterator[str]:
    for path, data in chart.files.items():
        if path.startswith("templates/"):
            yield data.decode(errors="replace")


def _uses_app_version(template: str) -> bool:
    return any(
        _APP_VERSION.search(line) and not _NO_IMAGE.search(line)
        for line in template.splitlines()
        if "AppVersion" in line
    )


def _loose_images(value: Value, path: Sequence[str], depth: int) -> Iterator[str]:
    """Yield what images in `value` are called, with their place: `sidecar.image (busybox:latest)`."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value:
            yield from _loose_images(item, path, depth + 1)
    if not isinstance(value, dict):
        return
    pinned = any(_PINNED.search(key) for key in value)
    for key, item in value.items():
        here = (*path, key)
        if key == "tag" and isinstance(item, str) and _LOOSE_TAG.fullmatch(item):
            name = as_string(value.get("repository") or value.get("image") or value.get("name"))
            yield f"{'.'.join(here)} ({f'{name}:' if name else ''}{item})"
        elif isinstance(item, str) and key.lower().endswith("image") and _is_loose(item, pinned=pinned):
            yield f"{'.'.join(here)} ({item})"
        else:
            yield from _loose_images(item, here, depth + 1)


def _is_loose(image: str, *, pinned: bool) -> bool:
    """Tell whether an image reference has the tag latest, or none where the keys beside it do not give one either."""
    if "@" in image or not image:
        return False
    _, colon, tag = image.rpartition(":")
    if colon and "/" not in tag:
        return _LOOSE_TAG.fullmatch(tag) is not None
    return not pinned and "/" in image and _IMAGE_NAME.fullmatch(image) is not None
