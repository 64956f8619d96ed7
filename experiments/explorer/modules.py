"""The page's modules as one script, for a page from the disk may load none."""

import re
from graphlib import TopologicalSorter

IMPORT = re.compile(r'^import (\* as \w+|\{[^}]*\}) from "([^"]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:const|function\*?) (\w+))", re.MULTILINE)


def joined(modules: dict[str, str]) -> str:
    """All modules {name: text} in one, each a function of its own that returns its exports, after those it imports.

    Imports may be `import { a, b as c } from "name";` and `import * as a from "name";`, exports may stand before const
    and function. Raises ValueError for others, graphlib.CycleError where two import each other.
    """
    order = TopologicalSorter({name: [other for _, other in IMPORT.findall(text)] for name, text in modules.items()})
    return "const $modules = {};\n" + "".join(as_function(name, modules[name]) for name in order.static_order())


def as_function(name: str, text: str) -> str:
    """One module, told where to find the others."""
    exports = EXPORT.findall(text)
    body = EXPORT.sub("", IMPORT.sub(lambda found: taken(*found.groups()), text))
    odd = re.search(r"^(?:import|export)\b.*|</script|<!--", body, re.MULTILINE | re.IGNORECASE)
    if odd:
        raise ValueError(f"{name} has {odd[0]!r}, which cannot be joined with the others")
    return f'$modules["{name}"] = (() => {{\n{body}return {{ {", ".join(exports)} }};\n}})();\n'


def taken(names: str, module: str) -> str:
    """An import as a constant."""
    names = names.removeprefix("* as ") if names.startswith("*") else names.replace(" as ", ": ")
    return f'const {names} = $modules["{module}"];\n'
