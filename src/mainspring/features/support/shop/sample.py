"""The data of the sample shop, as it is committed."""

from __future__ import annotations

import csv
import datetime as dt
from functools import cache
from importlib import resources
from typing import Any

import yaml

_FOLDER = resources.files("mainspring.features.support") / "sample"


@cache
def now() -> dt.datetime:
    """The moment at which the sample shop is seen."""
    return moment(yaml.safe_load(_text("shop.yaml"))["now"])


def table(name: str) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(_text(f"{name}.csv").splitlines()))


@cache
def orders() -> list[dict[str, Any]]:
    """The orders, with dates as texts."""
    found: list[dict[str, Any]] = yaml.load(_text("orders.yaml"), _Loader)  # noqa: S506
    return found


def moment(value: Any) -> dt.datetime:
    """A point in time of the files: a date, or a date with a time."""
    return dt.datetime.fromisoformat(str(value))


def _text(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):  # type: ignore[misc]
    """Leaves dates as they are written."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
