"""All that the page says comes from one file, and a translation of it is all that one needs to say it otherwise."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from experiments.explorer import __main__ as explorer
from experiments.explorer import report, words
from tests.experiments.commands import main, refused
from tests.experiments.explorer.opened import Opened
from tests.experiments.explorer.reference import saved
from tests.experiments.explorer.using import use_and_watch

PSEUDO = {"language": "de-DE", "numbers": {"decimal": ",", "thousands": "."}}


def pseudo(text: Any) -> Any:
    """The same words, each text between two signs that take no room."""
    match text:
        case dict():
            return {name: pseudo(part) for name, part in text.items()}
        case list():
            return [pseudo(part) for part in text]
        case _:
            return f"\u2063{text}\u2064" if text else text


# Every text that is not a translated one, and every name for screen readers. What is between two signs is taken out,
# pair by pair from within; what is left may be numbers, single letters and the names of functions in formulas.
UNTRANSLATED = """() => {
  const bare = (text) => {
    const pair = /\u2063[^\u2063\u2064]*\u2064/g;
    for (let before = null; before !== text; ) [before, text] = [text, text.replace(pair, "")];
    return text
      .replace(/[σΣΔ∂]|tanh|max|softmax/g, "")
      .replace(/(?<!\\p{L})[abCdfhjknwxyzL]′?(?!\\p{L})/gu, "");
  };
  const wrong = [];
  const look = (where, text) => {
    const left = bare(text);
    if (/\\p{L}|[\u2063\u2064]/u.test(left)) wrong.push(`${where}: ${text}`);
    if (/[0-9]\\.[0-9](?![0-9]{2})/.test(text)) wrong.push(`${where} has a decimal point: ${text}`);
  };
  const parts = (element) => [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
  for (const element of document.querySelectorAll("body, body *:not(script, style)")) {
    const where = element.id || element.className?.baseVal || element.className || element.localName;
    for (const node of parts(element)) look(where, node.data);
    for (const name of ["aria-label", "aria-valuetext", "aria-roledescription", "title", "alt", "placeholder"]) {
      if (element.hasAttribute(name)) look(`${where} ${name}`, element.getAttribute(name));
    }
  }
  look("title", document.title);
  return wrong;
}"""


@pytest.mark.long
def test_a_translation_leaves_no_english_word_on_the_page_and_nothing_jumps(browser: Any, tmp_path: Path):
    results = report.in_gallery() | {"words": pseudo(words.english()) | PSEUDO}
    (tmp_path / "explorer.html").write_text(report.page(results), encoding="utf-8")
    with Opened(browser, tmp_path / "explorer.html") as opened:
        found = set(opened.ask(UNTRANSLATED))
        use_and_watch(opened, lambda: found.update(opened.ask(UNTRANSLATED)))
        assert sorted(found) == []
        assert opened.ask("document.documentElement.lang") == "de-DE"
        assert "13.002" in opened.text("#about")
        assert f"{100 * results['networks'][0]['test_accuracy']:.2f}".replace(".", ",") in opened.text("#about")


def test_a_translation_is_taken_whole_or_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    network = saved(tmp_path / "some.safetensors", (784, 3, 10))
    options = ("--from", str(network), "--limit", "20", "--images", "5", "--out", str(tmp_path / "out"))
    file = tmp_path / "german.json"
    good = pseudo(words.english()) | PSEUDO

    def with_file(text: str) -> tuple[str, ...]:
        file.write_text(text, encoding="utf-8")
        return (*options, "--language", str(file))

    def changed(change: Any) -> str:
        other = copy.deepcopy(good)
        change(other)
        return json.dumps(other)

    for text, message in (
        ("{", "german.json is no JSON in UTF-8"),
        ("[]", "the whole must be a block of texts"),
        (changed(lambda it: it["page"].pop("copy")), "page.copy is missing; english.json has it"),
        (changed(lambda it: it["walk"].update(more="x")), "walk.more is not in english.json: remove it"),
        (
            changed(lambda it: it["page"].update(slide="{n} von {all}")),
            "page.slide has {all}, {n}; english.json has {all}",
        ),
        (changed(lambda it: it["page"].update(copy=["x"])), "page.copy must be a text"),
        (changed(lambda it: it["network"].update(sentences="x")), "network.sentences must be a list of texts"),
        (changed(lambda it: it.update(language="deutsch!")), "language is 'deutsch!'; expected a code such as de"),
    ):
        said = refused(explorer, monkeypatch, *with_file(text))
        assert message in said
        assert "\n" not in said
    assert "absent.json" in refused(explorer, monkeypatch, *options, "--language", str(tmp_path / "absent.json"))
    record = main(explorer, monkeypatch, *with_file(json.dumps(good)))
    assert record["results"]["words"] == good
    page = (tmp_path / "out" / "explorer.html").read_text(encoding="utf-8")
    assert '<html lang="de-DE">' in page
    assert f"<title>{good['page']['title']}</title>" in page
