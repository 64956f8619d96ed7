"""Reading MNIST takes longer than most of what is tested here, so it is read once."""

from typing import Any

import pytest

import jaxnet


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch: pytest.MonkeyPatch, mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]) -> None:
    load = jaxnet.load

    def found(name: Any = "mnist", **options: Any) -> tuple[jaxnet.Dataset, jaxnet.Dataset]:
        return mnist if name == "mnist" else load(name, **options)

    monkeypatch.setattr(jaxnet, "load", found)
