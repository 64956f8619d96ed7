"""Ten questions that whoever has played through the page can answer, each with the sentence and the control for it."""

import json
from functools import reduce
from pathlib import Path

import pytest

from experiments.explorer import report
from tests.experiments.explorer.opened import Opened

pytestmark = pytest.mark.long

QUESTIONS = json.loads(Path(__file__).with_name("questions.json").read_text(encoding="utf-8"))


def test_there_are_ten_and_every_scene_answers_one():
    assert len(QUESTIONS) == 10
    assert {each["words"].split(".")[0] for each in QUESTIONS} == set(report.SCENES)


@pytest.mark.parametrize("each", QUESTIONS, ids=[each["question"] for each in QUESTIONS])
def test_the_page_answers(opened: Opened, each: dict[str, str]):
    scene, *_ = each["words"].split(".")
    words = json.loads((report.PAGE / "english.json").read_text(encoding="utf-8"))
    sentence = reduce(lambda part, key: part[int(key) if key.isdigit() else key], each["words"].split("."), words)
    assert each["says"] in sentence
    assert sentence in opened.page.locator(f"#{scene}").text_content()
    assert opened.page.locator(f"#{scene} {each['control']}").count() == 1
