"""Edit a chart's Chart.yaml and values.yaml as text, and check that nothing else changed by parsing the result."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import yaml

from chart_releaser import yamledit, yamlio
from chart_releaser.charts.chart import Chart
from chart_releaser.errors import ChartError, YamlError
from chart_releaser.helm import yaml as helmyaml
from chart_releaser.helm.yaml import Value

# Images that Docker and its community publish: https://docs.docker.com/docker-hub/image-library/trusted-content/
_OFFICIAL = re.compile(r"(?:(?:index\.)?docker\.io/)?library/[^/]+")


class MetadataEdit:
    """Collects changes to a Chart.yaml; `text` is the result."""

    def __init__(self, chart: Chart) -> None:
        self._where = f"{chart.path}/Chart.yaml"
        self._text: str | None = chart.chart_yaml
        self._wanted = dict(chart.metadata)

    def set(self, key: str, value: Value) -> None:
        """Set a field to `value`."""
        if self._wanted.get(key) != value:
            self._wanted[key] = value
            self._change(yamledit.set_key, key, value)

    def append(self, key: str, items: list[Value]) -> None:
        """Append `items` to the list in a field. The field is added if it is missing."""
        own = self._wanted.get(key)
        if items:
            self._wanted[key] = [*(own if isinstance(own, list) else []), *items]
            self._change(yamledit.append_items, key, items)

    def set_in_items(self, key: str, field: str, new: Mapping[int, Value]) -> None:
        """Set `field` in items of the list in field `key`: `new` maps an item's index to the value."""
        own = self._wanted.get(key)
        items = list(own) if isinstance(own, list) else []
        changed: dict[int, Value] = {}
        for number, value in new.items():
            item = items[number]
            if isinstance(item, dict) and item.get(field) != value:
                items[number] = {**item, field: value}
                changed[number] = value
        if changed:
            self._wanted[key] = items
            self._change(yamledit.set_in_items, key, field, changed)

    def put(self, key: str, name: str, value: Value) -> None:
        """Set `name` in the mapping in field `key`. The field is added if it is missing."""
        own = self._wanted.get(key)
        section = own if isinstance(own, dict) else {}
        if section.get(name) != value:
            self._wanted[key] = {**section, name: value}
            self._change(yamledit.insert_below, {key: {name: value}})

    @property
    def text(self) -> str:
        """The changed Chart.yaml: upstream's text with edits if possible, else dumped from its values."""
        try:
            if self._text is not None and _mapping(self._text, self._where) == self._wanted:
                return self._text
        except YamlError:
            pass
        # Anchors and the like can defeat an edit. Only comments get lost then.
        return yamlio.dump(self._wanted, sort_keys=False)

    def _change(self, edit: Callable[..., str], *arguments: Any) -> None:
        if self._text is not None:
            try:
                self._text = edit(self._text, *arguments, where=self._where)
            except YamlError:
                self._text = None


def edit_values(
    chart: Chart, image_tag: str | None, switches: Mapping[str, bool], foreign: Collection[tuple[str, ...]] = ()
) -> str | None:
    """Return values.yaml with the image tag and the missing switches, or None if the chart has and needs none.

    `image_tag` replaces each `tag: latest`, except in the values at the paths `foreign` and for Docker's own images;
    None leaves them all. A switch that the chart already sets stays as it is. Raises ChartError if the text can't be
    edited reliably.
    """
    if chart.values is None and not switches:
        return None
    where = f"{chart.path}/values.yaml"
    before = chart.values or ""
    try:
        text, root = yamledit.replace_scalars(
            before,
            lambda key, node, image: (
                image_tag if key == "tag" and node.value == "latest" and _may_be_own(image) else None
            ),
            where=where,
            leave=foreign,
        )
        wanted = _as_mapping(helmyaml.construct(root, where=where), where)
        del root  # free the nodes of a long text before the next ones are built
        added = _missing_switches(wanted, switches)
        if added:
            text = yamledit.insert_below(text, added, where=where)
        if text == before:
            return text
        for parent, values in added.items():
            own = wanted.get(parent)
            wanted[parent] = {**(own if isinstance(own, dict) else {}), **values}
        after = _mapping(text, where)
    except YamlError as error:
        raise ChartError.of(error) from error
    own_values = _mapping(before, where) if foreign else {}
    if after != wanted or any(look_up(after, path) != look_up(own_values, path) for path in foreign):
        raise ChartError(f"{where} is written in a way in which the image tag and the switches can't be set safely")
    return text


def _may_be_own(image: yaml.MappingNode) -> bool:
    """Tell whether the mapping that has `tag: latest` can be about an image of the project itself."""
    return not any(isinstance(value, yaml.ScalarNode) and _OFFICIAL.fullmatch(value.value) for _, value in image.value)


def _missing_switches(values: dict[str, Value], switches: Mapping[str, bool]) -> dict[str, dict[str, Value]]:
    """Return the switches that `values` does not set, as the values to add below each top-level key.

    As in a condition, a dot in a name means one level of nesting.
    """
    added: dict[str, dict[str, Value]] = {}
    for name, enabled in switches.items():
        path = [*name.split("."), "enabled"]
        if look_up(values, path) is not None:
            continue
        first, second, *rest = path
        value: Value = enabled
        for part in reversed(rest):
            value = {part: value}
        below = added.setdefault(first, {})
        own = below.get(second)
        below[second] = _merge(own, value) if second in below else value
    return added


def _merge(one: Value, other: Value) -> Value:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return other
    return {**one, **{key: _merge(one[key], value) if key in one else value for key, value in other.items()}}


def look_up(values: Value, path: Iterable[str]) -> Value:
    """Return the value at a path of keys in `values`, or None if there is none."""
    for part in path:
        if not isinstance(values, dict):
            return None
        values = values.get(part)
    return values


def _mapping(text: str, where: str) -> dict[str, Value]:
    return _as_mapping(helmyaml.construct(yamlio.compose(text, where=where), where=where), where)


def _as_mapping(value: Value, where: str) -> dict[str, Value]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise YamlError(f"{where} is not a mapping of keys and values")
    return value
