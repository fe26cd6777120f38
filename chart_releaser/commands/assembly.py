"""Assembles the chart of one release from the tree at its tag and from its controller registration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chart_releaser.budget import Budget
from chart_releaser.charts.assemble import Assembled, Origin, Registration, assemble
from chart_releaser.charts.pointers import check_content
from chart_releaser.charts.registration import ASSET, BASES, PATHS
from chart_releaser.config.model import REGISTRATION
from chart_releaser.errors import ChartError
from chart_releaser.versions import image_tag

if TYPE_CHECKING:
    from chart_releaser.git.snapshot import Snapshot
    from chart_releaser.upstream.plan import Item
    from chart_releaser.upstream.releases import Upstream


def assemble_release(
    item: Item, snapshot: Snapshot, upstream: Upstream, repository: str | None, budget: Budget
) -> Assembled:
    """Return the chart of `item`, from `snapshot` and the release's assets, within `budget`.

    `repository` is the address for the chart's `sources`, None if it has no public one. Raises ChartReleaserError, in
    particular BudgetError when `budget` is used up.
    """
    budget.check_time(item.release.tag)
    notes = item.release.notes if item.release.notes is not None else snapshot.message
    origin = Origin(
        tag=item.release.tag,
        version=item.version,
        commit=snapshot.commit,
        notes=notes,
        repository=repository,
        label=image_tag(item.release.tag.removeprefix(item.source.tag_prefix)),
        sets_app_version=item.source.app_version == "tag",
        sets_image_tags=item.source.sets_image_tags,
    )
    return assemble(
        item.source.name,
        item.paths,
        snapshot,
        origin,
        lambda: find_registration(item, snapshot, upstream, budget),
        budget,
    )


def paths_to_fetch(items: Sequence[Item]) -> list[str]:
    """Return the paths in the repository from which the charts of `items` are made."""
    paths = dict.fromkeys(path for item in items for path in item.paths)
    if REGISTRATION in paths:
        del paths[REGISTRATION]
        paths.update(dict.fromkeys(PATHS))
    return list(paths)


def find_registration(item: Item, snapshot: Snapshot, upstream: Upstream, budget: Budget) -> Registration:
    """Return the controller registration of a release, from a known path of its tree or else from its assets.

    An asset comes before a kustomize base. Raises ChartError, which names the places that were searched.
    """
    paths = [path for path in PATHS if snapshot.kind(path) == "file"]
    assets = [asset for asset in item.release.assets if asset.name == ASSET]
    if assets and not set(paths) - set(BASES):
        return Registration(_decode(upstream.read_asset(assets[0], budget.left), ASSET), f"asset {ASSET}")
    if paths:
        return Registration(_decode(snapshot.read(paths[0]), paths[0]), paths[0])
    # Not used, since nothing says that it is the right one, but named in the hint.
    elsewhere = snapshot.find("", ASSET)
    hint = (
        f"one is in {elsewhere[0]}, where none is expected, so name a chart's path under charts: instead"
        if elsewhere
        else "name a chart's path under charts:, or leave the release out with versions:"
    )
    raise ChartError(
        f"there is no controller-registration, neither in {', '.join(PATHS)} nor among the release's assets",
        remedy=hint,
    )


def _decode(data: bytes, where: str) -> str:
    check_content(where, data)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ChartError(f"{where} is not UTF-8: {error.reason} at byte {error.start}") from error
