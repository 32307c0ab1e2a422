"""The prices a server starts with."""

from __future__ import annotations

import json
import time
import tomllib
from pathlib import Path

from otelkit.errors import SettingsError
from otelkit.mapping.cost import PriceBook, parse_prices
from otelkit.mapping.genai import Usage

__all__ = ["open_prices", "warm_up"]


def open_prices(path: Path | None, free_providers: tuple[str, ...]) -> PriceBook:
    """Return a price book with the overrides of a TOML or JSON file; raise SettingsError for one that is unreadable."""
    if path is None:
        return PriceBook(free_providers=free_providers)
    try:
        text = path.read_text("utf-8")
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise SettingsError(f"the price file {path} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise SettingsError(f"the price file {path} must hold a table: provider → model → rates")
    return PriceBook(parse_prices(data), free_providers)


def warm_up(prices: PriceBook) -> None:
    """Ask for one price, so that the price list is read before the first call needs it."""
    prices.price("openai", "gpt-4o-mini", Usage(1, 1), time.time_ns())
