"""README.md and docs/: each table is compared with what it speaks of, each link and configuration is tried."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml

from chart_releaser import errors
from chart_releaser.cli import main as cli
from chart_releaser.cli import process
from chart_releaser.cli.app import app
from chart_releaser.commands.report import ReleaseRow, UpdateReport
from chart_releaser.commands.verify import VerifyReport
from chart_releaser.config.parse import json_schema, parse_config
from chart_releaser.destinations import findings
from tests.cli.runner import called
from tests.documents import DOCUMENTS, ROOT, blocks

README = ROOT / "README.md"


def rows(text: str, header: str) -> list[list[str]]:
    """The cells of each row of the tables in `text` whose first column has this header."""
    found: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")] if line.startswith("|") else []
        if cells[:1] == [header]:
            inside = True
        elif not cells:
            inside = False
        elif inside and not line.startswith("|---"):
            found.append(cells)
    return found


def section(document: Path, title: str) -> str:
    """The text below a heading, up to the next heading."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", document.read_text(), re.DOTALL | re.MULTILINE)
    assert found, f"{document.name} has no section {title}"
    return found[1]


def quoted(text: str) -> list[str]:
    """The code words of a piece of text."""
    return re.findall(r"`([^`]+)`", text)


KEYS = {
    "The file": None,
    "Destination: a GitHub repository": "GitHubDestination",
    "Destination: a directory": "DirectoryDestination",
    "Defaults": "Defaults",
    "Sources": "Source",
    "Limits": "Limits",
    "Charts": "ChartPath",
}
TYPES = {"text": "string", "number": "integer", "true or false": "boolean", "list": "array", "mapping": "object"}


def described(properties: Mapping[str, Any], name: str) -> tuple[str, str]:
    """The type and the default of a key as its schema has them, in the page's words."""
    schema = properties[name]
    if "enum" in schema:
        kind = " or ".join(f"`{value}`" for value in schema["enum"])
    else:
        parts = schema.get("anyOf", [schema])
        given = [part["type"] for part in parts if part.get("type", "null") != "null"] or ["object"]
        kind = " or ".join(word for one in given for word, of_schema in TYPES.items() if of_schema == one)
    default = schema.get("default")
    return kind, "none" if default is None else f"`{json.dumps(default) if default in ('', True, False) else default}`"


@pytest.mark.parametrize("title", KEYS)
def test_every_key_is_documented(title: str) -> None:
    schema = json_schema()
    model = schema if KEYS[title] is None else schema["$defs"][KEYS[title]]
    table = {quoted(row[0])[0]: row for row in rows(section(ROOT / "docs/configuration.md", title), "key")}
    assert set(table) == set(model["properties"])
    for name, row in table.items():
        kind, default = described(model["properties"], name)
        assert row[1] == kind, name
        if name in model.get("required", ()):
            assert row[2] == "required"
        elif name in ("defaults", "limits"):
            assert row[2] == f"see [{name.title()}](#{name})"
        else:
            assert row[2] == default, name
        for example in quoted(row[4]):
            whole = {"$defs": schema["$defs"], **model["properties"][name]}
            jsonschema.validate(yaml.safe_load(example), whole)


def test_the_documents_configurations_are_ones() -> None:
    files = [
        block
        for path in DOCUMENTS
        for block in blocks(path)
        if re.fullmatch(r"[\w-]*config.yaml", block.filename or "")
    ]
    assert len(files) >= 4
    for block in files:
        parse_config(block.text, file=block.filename or "", base=ROOT)


def test_the_schema_in_the_package_is_the_one_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    printed = called("schema", capsys=capsys).out
    assert (ROOT / "chart_releaser/config.schema.json").read_text() == printed


def options() -> dict[str, set[str]]:
    """The options of each command that its help shows."""
    group: Any = typer.main.get_command(app)
    return {
        name: {option for one in command.params if not getattr(one, "hidden", False) for option in one.opts}
        for name, command in group.commands.items()
        if not command.hidden
    }


def test_every_option_is_documented_and_there() -> None:
    text = section(README, "Options")
    prose, _, _ = text.partition("\n|")
    common = set(re.findall(r"--?[a-z][a-z-]*", prose))
    known = options()
    table = {
        quoted(row[0])[0]: set(re.findall(r"(?<![\w-])--[a-z-]+|/-[a-z]\b", row[1])) for row in rows(text, "command")
    }
    for command in known.keys() - {"schema"}:
        said = common | table[command]
        assert {option.lstrip("/") for option in said} == known[command], command
    assert known["schema"] == set()
    assert [quoted(row[0])[0].split()[1] for row in rows(section(README, "Commands"), "command")] == list(known)


def test_no_option_is_invented() -> None:
    of_others = {"--set", "--targetDir", "--version", "--install-completion", "--show-completion"}
    known = set().union(*options().values()) | of_others
    for document in DOCUMENTS:
        if document.stem == "performance":
            continue
        prose = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
        found = {word for code in quoted(prose) for word in re.findall(r"(?<![\w-])--[a-zA-Z][a-zA-Z-]+", code)}
        assert found <= known, document.name


def test_the_exit_codes() -> None:
    families = [value for _, value in inspect.getmembers(errors, inspect.isclass)]
    codes = {0, cli.BUG, process.INTERRUPTED, *(getattr(family, "exit_code", 1) for family in families)}
    assert {int(row[0]) for row in rows(section(README, "Exit codes"), "code")} == codes


def test_the_actions_inputs_and_outputs() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    text = README.read_text()
    assert [quoted(row[0])[0] for row in rows(text, "input")] == list(action["inputs"])
    for row in rows(text, "input"):
        default = action["inputs"][quoted(row[0])[0]]["default"]
        assert row[1] == ("the job's token" if "token" in default else f"`{default}`" if default else "none"), row[0]
    assert [name for row in rows(text, "output") for name in quoted(row[0])] == list(action["outputs"])


def test_every_module_has_its_place() -> None:
    named = [row[0].strip("`") for row in rows((ROOT / "docs/architecture.md").read_text(), "module")]
    package = ROOT / "chart_releaser"
    there = {str(path.relative_to(package)) for path in package.rglob("*.py") if path.name != "__init__.py"}
    there.add("destinations/__init__.py")
    assert len(named) == len(set(named))
    assert set(named) == there


def test_every_guarantee_has_its_tests() -> None:
    text = (ROOT / "docs/guarantees.md").read_text()
    claims = re.findall(r"(?ms)^\*\*.*?(?=^\*\*|^## |\Z)", text)
    assert len(claims) == 13
    assert all("- `tests/" in claim for claim in claims)
    for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text):
        assert re.search(rf"def {name}\(", (ROOT / file).read_text()), f"{file} has no {name}"


def test_every_hostile_class_has_its_tests() -> None:
    table = rows(section(ROOT / "docs/security.md", "Hostile content"), "class")
    assert len(table) > 20
    for row in table:
        found = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row[2])
        assert found, row[0]
        for file, name in found:
            assert re.search(rf"def {name}\(", (ROOT / file).read_text()), f"{file} has no {name}"


def texts() -> Iterator[str]:
    """All texts in the program's code."""
    for path in (ROOT / "chart_releaser").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_message_and_finding_is_one() -> None:
    known = "\0".join(texts())
    operating = ROOT / "docs/operating.md"
    messages = [row[0] for row in rows(section(operating, "Common errors"), "message")]
    assert messages
    for message in messages:
        for part in re.split(r" ?… ?|; ", message.strip("`")):
            assert part.strip("; ") in known, f"{message}: no text of the program has {part!r}"
    kinds = [quoted(row[0])[0] for row in rows(section(operating, "Verify and repair"), "finding")]
    assert sorted(kinds) == sorted(findings.FindingKind.__args__)  # type: ignore[attr-defined]


def test_the_json_documents() -> None:
    table = {quoted(row[0])[0]: row for row in rows(section(ROOT / "docs/operating.md", "For programs"), "list")}
    assert set(table) == {*UpdateReport().as_json(), *VerifyReport().as_json()} - {"entries", "packages"}
    finding = findings.Finding("draft", "", "", "", "").as_json()
    assert quoted(table["findings"][2]) == list(finding)
    row = ReleaseRow("s", "v1", "1", "u", "d", "e").as_json()
    said = {word for name in ("planned", "published", "failed") for word in quoted(table[name][2])}
    assert said == set(row)


def test_every_link_leads_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
            path, _, anchor = target.partition("#")
            if path.startswith("https:"):
                continue
            to = document.parent / path if path else document
            assert to.exists(), f"{document.name}: {target}"
            if anchor:
                headings = re.findall(r"(?m)^#+ (.*)$", to.read_text())
                anchors = {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}
                assert anchor in anchors, f"{document.name}: {target}"


def test_lines_are_short() -> None:
    for document in DOCUMENTS:
        code = False
        for number, line in enumerate(document.read_text().splitlines(), 1):
            code ^= line.startswith("```")
            assert code or line.startswith("|") or len(line) <= 130, f"{document.name}:{number}"
