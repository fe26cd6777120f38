"""Keys of a Chart.yaml in another letter case are those that Helm takes them for."""

from __future__ import annotations

import pytest

from chart_releaser.budget import Budget
from chart_releaser.charts.loader import read_chart
from chart_releaser.errors import ChartError
from chart_releaser.helm.chart_keys import correct_key_case
from tests.memorytree import MemoryTree, below, chart, published


def test_other_letter_case_is_put_right_and_nothing_else() -> None:
    text = "# Name: x\nName: c\n'appversion': 1.10  # as it is\nother: {NAME: y}\nmaintainers:\n- NAME: n\n"
    assert correct_key_case(text, where="w") == (
        "# Name: x\nname: c\n'appVersion': 1.10  # as it is\nother: {NAME: y}\nmaintainers:\n- name: n\n"
    )
    assert correct_key_case("dependencie\u017f: [{\u212aind: a, ver\u017fion: b}]", where="w") == (
        "dependencies: [{\u212aind: a, version: b}]"
    )
    right = (
        "m: &m {home: h}\n<<: *m\nname: c\nversion: 1.0.0\nDependenciess: []\ndependencies:\n- name: a\n  Other: b\n"
    )
    assert correct_key_case(right, where="w") == right
    assert correct_key_case("", where="w") == ""
    assert correct_key_case("Dependencies: [{Alias: &a b, IMPORT-VALUES: [{Child: *a}]}]", where="w") == (
        "dependencies: [{alias: &a b, import-values: [{Child: *a}]}]"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: c\nName: d\n", r"^w:2: the key name also occurs as Name; keep one$"),
        ("maintainers:\n- {Email: a, EMAIL: b}\n", r"^w:2: the key Email also occurs as EMAIL; keep one$"),
        ("name: c\n<<: {Name: d}\n", r"^w: the key name occurs in two spellings; keep one$"),
        (
            "name: c\n<<: {Home: d, HEAD: e}\n",
            r"^w: keys from an anchor .* in Helm's documentation: Home; upstream would",
        ),
        (
            "dependencies:\n- {name: a, <<: {Alias: b}}\n",
            r"^w: keys from an anchor .*: dependencies or maintainers;",
        ),
        ("maintainers: [&m {Name: n}]\nannotations: *m\n", r"^w: keys from an anchor"),
        ("- &a [*b]\n", r"^w:1:7: malformed YAML"),
        ("\n&a Name: c\n", r"^w:2: the key Name is not spelled as in Helm's documentation$"),
        ("{", r"^w:2:1: malformed YAML"),
    ],
)
def test_what_can_not_be_put_right(text: str, message: str) -> None:
    with pytest.raises(ChartError, match=message):
        correct_key_case(text, where="w")


def test_a_published_chart_has_one_app_version() -> None:
    files = below("c", chart("c", more="AppVersion: '7'\n"))
    assert read_chart(MemoryTree(files), "c", Budget()).metadata["appVersion"] == "7"
    assert "AppVersion" not in published(files).chart_yaml
