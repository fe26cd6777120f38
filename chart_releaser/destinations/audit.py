"""Compares a published repository with itself: entries, packages and leftovers that do not match."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from chart_releaser.destinations.findings import Finding, Repair, StoredPackage
from chart_releaser.destinations.listed import ListedEntry, is_strict_version
from chart_releaser.errors import ChartReleaserError
from chart_releaser.index.entry import is_digest, without_unknown_fields
from chart_releaser.index.index import Index
from chart_releaser.versions import helm_sort_key

Digest = str | None | ChartReleaserError
"""The SHA-256 of the package at an address, None if it is definitely absent, or the error that kept it unknown."""
Content = Mapping[str, Any] | str | ChartReleaserError
"""A package's index entry, the reason why it can't be listed, or the error that kept it unknown."""
ADOPT_ALL = "*"
"""In place of a name: every chart that has a package."""


class Audit:
    """Finds what is wrong in a repository, from its index entries, packages and digests; does no I/O."""

    def __init__(
        self, listed: Sequence[ListedEntry], stored: Sequence[StoredPackage], digests: Mapping[str, Digest]
    ) -> None:
        """`digests` are those that `find_unknown_digests(listed)` asks for, by address."""
        self._listed = listed
        self._stored = stored
        self._digests = digests
        self._keepers_by_version = self._keepers()
        self._owners: dict[str, ListedEntry] = {}
        """For each address, the first entry that matches the package there."""
        for keeper in self._keepers_by_version.values():
            self._owners.setdefault(keeper.place, keeper)
        self._known: frozenset[str] = frozenset()
        self._contents: Mapping[str, Content] = {}
        self._by_label: dict[str, list[StoredPackage]] = {}
        for item in stored:
            self._by_label.setdefault(item.label, []).append(item)

    def unread(self) -> list[StoredPackage]:
        """Return the packages that have to be read, because no entry that will stay refers to them."""
        named = {
            id(item.stored)
            for item in self._listed
            if not item.problems and self._keepers_by_version.get((item.chart, item.version), item) is item
        }
        known = {item.label: self._digest(item) for item in self._keepers_by_version.values()}
        return [
            item
            for item in self._stored
            if item.state == "published"
            and item.label
            and id(item) not in named
            and not (item.digest and known.get(item.label) == item.digest)  # a second copy of a listed package
        ]

    def findings(
        self, contents: Mapping[str, Content], names: Collection[str], adopt: Collection[str]
    ) -> list[Finding]:
        """Return all findings in the order of the index.

        `contents` has, by address, what was read from the packages of `unread()`. `names` are the configured charts.
        `adopt` are further charts that belong to the repository, `*` for every chart that has a package.

        Packages are listed and drafts deleted only for these charts and for charts with an entry that matches its
        package. A package alone, or a broken entry, does not show who put it there.
        """
        self._contents = contents
        packed = {str(content["name"]) for content in contents.values() if isinstance(content, Mapping)}
        adopted = packed if ADOPT_ALL in adopt else adopt
        self._known = frozenset((*names, *(chart for chart, _ in self._keepers_by_version), *adopted))
        findings: list[Finding] = []
        stays: dict[tuple[str, str], str] = {}
        for item in self._listed:
            own = list(self._check(item))
            repairs = [finding.repair for finding in own if finding.repair is not None]
            if not any(repair.drop for repair in repairs):
                stays.setdefault((item.chart, item.version), str(_field(item, "digest")))
            for entry in filter(None, (repair.add for repair in repairs)):
                stays.setdefault((entry["name"], entry["version"]), entry["digest"])
            findings += own
        findings += self._unlisted(stays)
        findings += [_leftover_finding(item, self._known) for item in self._stored if item.state != "published"]
        return findings

    def _digest(self, item: ListedEntry) -> Digest:
        if item.stored is not None and item.stored.digest:
            return item.stored.digest
        return self._digests.get(item.url)

    def _keepers(self) -> dict[tuple[str, str], ListedEntry]:
        """Return, for each chart and version, the first entry that matches its package."""
        keepers: dict[tuple[str, str], ListedEntry] = {}
        for item in self._listed:
            digest = self._digest(item)
            if not item.problems and isinstance(digest, str) and digest == _field(item, "digest"):
                keepers.setdefault((item.chart, item.version), item)
        return keepers

    def _check(self, item: ListedEntry) -> Iterator[Finding]:
        keeper = self._keepers_by_version.get((item.chart, item.version))
        if item.problems:
            yield self._malformed(item, keeper)
            return
        if keeper is not None and keeper is not item:
            # Entries are dropped by content. If both are equal that drops the keeper too, so the keeper is added again.
            repair = Repair(drop=(item.chart, item.item), add=without_unknown_fields(keeper.item))
            what = "it is listed twice"
            yield _entry_finding("malformed", item, what, "--repair keeps the entry that fits its package", repair)
            return
        if item.unknown and self._digest(item) is not None:
            fields = f"unknown field{'s' if len(item.unknown) > 1 else ''} {', '.join(item.unknown)}"
            what = f"its entry has the {fields}, for which Helm refuses the whole index"
            repair = Repair(drop=(item.chart, item.item), add=without_unknown_fields(item.item))
            yield _entry_finding("malformed", item, what, "--repair removes the unknown fields", repair)
        if not is_strict_version(item.version):
            yield _version_finding(item)
        owner = self._owners.get(item.place, item)
        if (owner.chart, owner.version) != (item.chart, item.version):
            yield _namesake_finding(item, owner)
        elif keeper is None:
            yield self._explain_unfit(item)

    def _explain_unfit(self, item: ListedEntry) -> Finding:
        """Return the finding for an entry without a matching package: missing, another one, or unknown."""
        digest = self._digest(item)
        if isinstance(digest, ChartReleaserError):
            remedy = "this says nothing about the package, so run verify again"
            return _entry_finding("unchecked", item, f"{item.url} could not be checked: {digest}", remedy)
        if digest is None:
            what = f"the index lists {item.url}, where there is no package"
            content = self._content_of(item)
            if content is not None and self._may_list(content, item):
                remedy = f"--repair lists {content['urls'][0]} instead"
                return _entry_finding("missing", item, what, remedy, Repair((item.chart, item.item), content))
            remedy = "--repair removes the entry; the next update publishes the version again if it is tracked"
            return _entry_finding("missing", item, what, remedy, Repair((item.chart, item.item)))
        what = f"the index lists digest {_field(item, 'digest')}, the package at {item.url} has {digest}"
        remedy = (
            "restore the package with the listed digest; if the present one is right, remove the entry and "
            "run verify --repair, which lists the present one"
        )
        return _entry_finding("digest", item, what, remedy)

    def _malformed(self, item: ListedEntry, keeper: ListedEntry | None) -> Finding:
        what = f"its entry is malformed: {', '.join(item.problems)}"
        drop = (item.chart, item.item)
        content = self._content_of(item)
        if content is not None and self._may_list(content, item):
            created = _field(item, "created")
            same = content["version"] == item.version and type(created) is str and created[:4].isdigit()
            content = {**content, "created": created} if same else content
            remedy = "--repair rebuilds it from its package"
            return _entry_finding("malformed", item, what, remedy, Repair(drop, content))
        if keeper is not None or any(other.label == item.label for other in self._keepers_by_version.values()):
            remedy = "the version also has a valid entry: --repair removes this one"
            return _entry_finding("malformed", item, what, remedy, Repair(drop))
        if not item.url or self._digest(item) is None:
            remedy = "it has no package: --repair removes it"
            return _entry_finding("malformed", item, what, remedy, Repair(drop))
        if content is not None:
            name = str(content["name"])
            what = f"{what}; its package holds {name}, which is neither configured nor listed elsewhere"
            return _entry_finding("malformed", item, what, f"remove it by hand if it is not yours; {_adopt_hint(name)}")
        digest = self._digest(item)
        has = f"; the package at {item.url} has digest {digest}" if isinstance(digest, str) else ""
        remedy = f"there is no package here to rebuild it from, so correct it by hand{has}"
        return _entry_finding("malformed", item, what, remedy)

    def _content_of(self, item: ListedEntry) -> Mapping[str, Any] | None:
        """Return the entry made from the package of `item`, or None if it was not read or can't be listed."""
        own = [item.stored] if item.stored is not None else []
        labels = (item.label, f"{item.chart}-{item.version}")
        for stored in [*own, *(one for label in labels for one in self._by_label.get(label, ()))]:
            content = self._contents.get(stored.url)
            if stored.state == "published" and isinstance(content, Mapping):
                return content
        return None

    def _may_list(self, content: Mapping[str, Any], item: ListedEntry) -> bool:
        """Tell whether a package may replace `item`: it belongs to a known chart, or it is the very package listed."""
        if content["name"] in self._known:
            return True
        digest = _field(item, "digest")
        if item.version != content["version"] or content["name"] not in (item.chart, _field(item, "name")):
            return False
        is_named = item.stored is not None and item.stored.url == content["urls"][0]
        return digest == content["digest"] or (is_named and not is_digest(digest))

    def _unlisted(self, stays: dict[tuple[str, str], str]) -> Iterator[Finding]:
        """Yield findings for packages without a valid entry; `stays` maps versions of the repaired index to digests."""
        for item in self._stored:
            content = self._contents.get(item.url)
            if item.state != "published" or content is None:
                continue
            if isinstance(content, ChartReleaserError):
                what = f"{item.description} is not in the index and could not be read: {content}"
                yield Finding("unchecked", "", "", what, "run verify again")
                continue
            if isinstance(content, str):
                what = f"{item.description} is not in the index, and can't be: {content}"
                yield Finding("broken", "", "", what, f"delete or correct {item.place} by hand")
                continue
            key = str(content["name"]), str(content["version"])
            listed = stays.get(key)
            if listed is None and key[0] not in self._known:
                what = f"{item.description} is not in the index, and {key[0]} is neither configured nor listed"
                yield Finding("unlisted", *key, what, f"delete it if it is not yours; {_adopt_hint(key[0])}")
            elif listed is None:
                stays[key] = str(content["digest"])
                what = f"{item.description} is not in the index"
                yield Finding("unlisted", *key, what, "--repair lists it", Repair(add=content))
            elif listed != content["digest"]:
                what = f"{item.description} has digest {content['digest']}, the index lists this version with {listed}"
                yield Finding("conflict", *key, what, "compare both, and delete the one that is wrong by hand")


def index_findings(index: Index) -> list[Finding]:
    """Return what is wrong with the index itself, apart from its entries."""
    remedy = "--repair rewrites the index without it"
    repair = Repair(tidy=True)
    return [
        Finding("malformed", "", "", f"{fault}, for which Helm refuses the index", remedy, repair)
        for fault in index.faults
    ]


def _field(item: ListedEntry, key: str) -> Any:
    return item.item.get(key) if isinstance(item.item, dict) else None


def _entry_finding(kind: Any, item: ListedEntry, what: str, remedy: str, repair: Repair | None = None) -> Finding:
    return Finding(kind, item.chart, item.version, what, remedy, repair)


def _adopt_hint(name: str) -> str:
    return f"--repair --adopt {name} lists it, and so does --repair once a source has that name"


def _namesake_finding(item: ListedEntry, owner: ListedEntry) -> Finding:
    what = f"its package {item.url} belongs to {owner.chart} {owner.version}, which is also listed"
    remedy = (
        "two charts can't share a package: remove the entry of the wrong one by hand, and rename its source or exclude "
        "the version with versions:"
    )
    return _entry_finding("conflict", item, what, remedy)


def _version_finding(item: ListedEntry) -> Finding:
    if helm_sort_key(item.version) < helm_sort_key(""):
        means = f"which Helm reads as {item.version.removeprefix('v')}, but finds only as it is written"
    else:
        means = "which Helm can't read, so it skips the entry"
    remedy = "a published version can't be changed; leave it, or remove its entry by hand"
    return _entry_finding("version", item, f"its version is not a strict semantic version, {means}", remedy)


def _leftover_finding(item: StoredPackage, names: Collection[str]) -> Finding:
    name = next(
        (n for n in sorted(names) if item.label.startswith(f"{n}-") and is_strict_version(item.label[len(n) + 1 :])), ""
    )
    version = item.label[len(name) + 1 :] if name else ""
    if item.state != "draft":
        remedy = "the next update repairs it if its version is tracked, otherwise delete it by hand"
        return Finding("broken", name, version, f"{item.place} {item.what or 'has no package'}", item.remedy or remedy)
    what = f"{item.place} is a draft left by an interrupted run"
    if not name:
        remedy = "no chart of that name is known here, so delete it by hand if nobody needs it"
        return Finding("draft", "", "", what, remedy)
    remedy = "--repair deletes it, and the next update recreates it if its version is tracked"
    return Finding("draft", name, version, what, remedy, Repair(discard=item))
