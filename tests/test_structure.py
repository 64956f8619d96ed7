"""Who imports whom: no arrow back up, no script from a script, nothing private."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "jaxnet"
EXPERIMENTS = ROOT / "experiments"
TABLE = re.findall(r"^\| \[`(\w+)\.py`\]", (LIBRARY / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
FILES = sorted(EXPERIMENTS.rglob("*.py"))
SCRIPTS = {f"experiments.{path.stem}" for path in EXPERIMENTS.glob("[a-z]*.py")}


def imported(path: Path) -> Iterator[str]:
    """All that a file imports, each name in full."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_a_module_imports_only_those_above_it(path: Path):
    assert path.stem in TABLE
    above = TABLE[: TABLE.index(path.stem)]
    for name in imported(path):
        package, _, rest = name.partition(".")
        assert package != "experiments"
        if package == "jaxnet":
            assert rest.split(".")[0] in above, f"{path.stem} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(EXPERIMENTS)))
def test_an_experiment_imports_no_script_and_nothing_private(path: Path):
    folder = path.relative_to(EXPERIMENTS).parts[0]
    for name in imported(path):
        if name.startswith(("experiments", "jaxnet")):
            assert not any(part.startswith("_") and part != "__main__" for part in name.split(".")), name
            assert not any(name == script or name.startswith(f"{script}.") for script in SCRIPTS), name
            if folder in ("common", "published"):
                assert name.startswith(("jaxnet", "experiments.common", "experiments.published")), name
            if folder == "reports":
                assert name.startswith(("jaxnet", "experiments.common", "experiments.reports")), name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(EXPERIMENTS)))
def test_an_experiment_uses_only_public_names_of_the_library(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "jaxnet":
            assert not node.attr.startswith("_") or node.attr.startswith("__"), node.attr


def test_no_imports_go_in_a_circle():
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in FILES}

    def modules(path: Path) -> set[str]:
        whole = {name.rpartition(".")[0] for name in imported(path)} | set(imported(path))
        return whole & set(names.values()) - {names[path]}

    graph = {name: modules(path) for path, name in names.items()}
    assert sum(map(len, graph.values())) > 100
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_every_file_of_the_experiments_is_read_in_one_sitting():
    for path in FILES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 250, path


def test_an_activation_is_only_chosen_where_a_network_is_made():
    for path in (*LIBRARY.glob("*.py"), *FILES):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and any(word.arg == "activation" for word in node.keywords):
                assert isinstance(node.func, ast.Attribute | ast.Name)
                called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                assert called in ("init", "replace", "Recipe", "MLPClassifier"), f"{path}: {called}(activation=...)"
