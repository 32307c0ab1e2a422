"""The prices of a server: those set on its page, then the file's, then the published ones."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from otelkit.errors import SettingsError
from otelkit.mapping.cost import Cost, PriceBook, Rates, parse_prices
from otelkit.mapping.genai import Usage

__all__ = ["Prices", "open_prices", "warm_up"]

Key = tuple[str, str]


class Prices:
    """A price book whose overrides change while the server runs; ``file`` are those that it started with."""

    def __init__(self, file: Mapping[Key, Rates] | None = None, free_providers: Iterable[str] = ()) -> None:
        self.file = dict(file or {})
        self.free_providers = tuple(free_providers)
        self._book = PriceBook(self.file, self.free_providers)

    def price(self, provider: str, model: str, usage: Usage, when: int) -> Cost | None:
        """Return a call's cost, see :meth:`PriceBook.price`."""
        return self._book.price(provider, model, usage, when)

    def use(self, stored: Mapping[Key, Rates]) -> None:
        """Take these as the prices set on the page; for the same provider and model they win over the file's."""
        self._book = PriceBook({**self.file, **stored}, self.free_providers)


def open_prices(path: Path | None, free_providers: tuple[str, ...]) -> Prices:
    """Return prices with the overrides of a TOML or JSON file; raise SettingsError for one that is unreadable."""
    if path is None:
        return Prices(free_providers=free_providers)
    try:
        text = path.read_text("utf-8")
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise SettingsError(f"the price file {path} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise SettingsError(f"the price file {path} must hold a table: provider → model → rates")
    return Prices(parse_prices(data), free_providers)


def warm_up(prices: Prices) -> None:
    """Ask for one price, so that the price list is read before the first call needs it."""
    prices.price("openai", "gpt-4o-mini", Usage(1, 1), time.time_ns())
