"""What is taken from an index answers as the index itself."""

from __future__ import annotations

from chart_releaser.index.entry import digest_and_url
from chart_releaser.index.index import Index
from tests.charts import excerpt_of

TEXT = """apiVersion: v1
entries:
  a:
  - {name: a, version: 1.0.0, digest: aa, urls: [https://example.org/a-1.0.0.tgz, elsewhere]}
  - {name: a, version: 1.0.0, digest: second, urls: [second]}
  - {name: a, version: "2", urls: no list}
  - no entry
  "1.5":
  - {name: "1.5", version: 0.1.0+b, digest: 12, urls: []}
  none: []
"""


def test_it_answers_as_the_index() -> None:
    index = Index.parse(TEXT)
    found = excerpt_of(index)
    for name in ("a", "1.5", "none", "absent"):
        assert found.versions(name) == index.versions(name)
        for version in index.versions(name):
            assert digest_and_url(found.entry(name, version) or {}) == digest_and_url(index.entry(name, version) or {})
    assert found.entry("a", "9") is None
    assert found.entry("absent", "1.0.0") is None
    assert digest_and_url(found.entry("a", "1.0.0") or {}) == ("aa", "https://example.org/a-1.0.0.tgz")
