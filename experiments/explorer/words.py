"""All that the page says: page/english.json, or a translation of it; numbers as that language writes them."""

import json
import re
from pathlib import Path
from typing import Any

from experiments.common.choices import ChoiceError

ENGLISH = Path(__file__).parent / "page" / "english.json"
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
"""What HTML knows as a language: de, pt-BR."""

Fact = tuple[str, dict[str, Any]]
"""Which sentence, and what it is about."""


def english() -> dict[str, Any]:
    """The words as they are written first."""
    return json.loads(ENGLISH.read_text(encoding="utf-8"))


def translation(path: Path) -> dict[str, Any]:
    """Those of a file; raises ChoiceError where it is not a translation of all of them and of nothing else."""
    try:
        words = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ChoiceError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ChoiceError(f"{path} is no JSON in UTF-8: {error}") from error
    check(str(path), words)
    return words


def check(name: str, words: Any) -> None:
    """Raises ChoiceError unless these words have the names and the placeholders of the English ones."""
    _compare(name, "", english(), words)
    if not LANGUAGE.fullmatch(words["language"]):
        raise ChoiceError(f"{name}: language is {words['language']!r}; expected a code such as de or pt-BR")


def _compare(name: str, place: str, ours: Any, theirs: Any) -> None:
    if type(ours) is not type(theirs):
        kinds = {dict: "a block of texts", list: "a list of texts", str: "a text"}
        raise ChoiceError(f"{name}: {place or 'the whole'} must be {kinds[type(ours)]}, as in english.json")
    if isinstance(ours, dict):
        for key in ours:
            if key not in theirs:
                raise ChoiceError(f"{name}: {place}{'.' if place else ''}{key} is missing; english.json has it")
        for key in theirs:
            if key not in ours:
                raise ChoiceError(f"{name}: {place}{'.' if place else ''}{key} is not in english.json: remove it")
        for key in ours:
            _compare(name, f"{place}.{key}" if place else key, ours[key], theirs[key])
    elif isinstance(ours, list):
        for each in theirs:
            _compare(name, place, "", each)
    elif (wanted := placeholders(ours)) != (found := placeholders(theirs)):
        raise ChoiceError(f"{name}: {place} has {_listed(found)}; english.json has {_listed(wanted)}")


def placeholders(text: str) -> set[str]:
    """The names that stand in braces."""
    return set(re.findall(r"\{(\w+)\}", text))


def _listed(names: set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names)) or "no placeholder"


def sentences(facts: list[Fact], words: dict[str, Any]) -> str:
    """The sentences page.about.NAME of these facts (NAME, values), one after the other."""
    about = words["page"]["about"]
    filled = (
        re.sub(r"\{(\w+)\}", lambda found: written(values[found[1]], words), about[name])  # noqa: B023 (used at once)
        for name, values in facts
    )
    return " ".join(filled)


def written(value: Any, words: dict[str, Any]) -> str:
    """A number with the language's own signs, one that is not whole with two decimals; a text as it is."""
    if isinstance(value, str):
        return value
    signs = {",": words["numbers"]["thousands"], ".": words["numbers"]["decimal"]}
    return re.sub("[,.]", lambda sign: signs[sign[0]], f"{value:,}" if isinstance(value, int) else f"{value:,.2f}")
