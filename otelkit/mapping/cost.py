"""What a model call cost, in US dollars; unknown is unknown, never 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Literal, NamedTuple

from otelkit.errors import SettingsError
from otelkit.mapping.genai import Usage
from otelkit.mapping.providers import canonical_provider

__all__ = ["Cost", "PriceBook", "Rates", "parse_prices"]

_MILLION: Final = 1e6
_MAX_CACHED: Final = 4_096
# Some prices depend on the date or the time of day; none changes within a quarter of an hour.
_SLOT: Final = 900 * 10**9

# OpenTelemetry's well-known provider → genai-prices' id. Given only ids that it has: it also guesses from parts of a
# name ("azure.ai.openai" contains "openai"), and would bill a local server for the model it imitates.
_PRICED_AS: Final = {
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "x_ai": "x-ai",
    "together_ai": "together",
    "togetherai": "together",
    "fireworks_ai": "fireworks",
    "voyage_ai": "voyageai",
    "voyage": "voyageai",
}


class Cost(NamedTuple):
    """A call's cost in US dollars, and who says so."""

    usd: float
    source: Literal["override", "genai-prices", "declared-free"]


class Rates(NamedTuple):
    """US dollars per million tokens. None: not priced apart (cached and reasoning), or not priced (input, output)."""

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    reasoning: float | None = None


class _Entry(NamedTuple):
    """Rates as looked up; ``tiers`` hold those that apply above so many input tokens, highest first."""

    rates: Rates
    source: Literal["override", "genai-prices"]
    tiers: tuple[tuple[int, Rates], ...] = ()
    timed: bool = False


class PriceBook:
    """Prices calls: overrides first, then providers declared free, then the ``genai-prices`` package.

    Args:
        overrides: rates by (provider, model), either of which may be ``"*"``; the most exact entry wins, the model
            before the provider.
        free_providers: providers whose calls cost nothing, such as a local server's.

    Provider names may be anything that instrumentations write. ``genai-prices`` is imported at the first call that
    needs it (about 0.2 s of CPU): price off the request's thread.
    """

    def __init__(
        self, overrides: Mapping[tuple[str, str], Rates] | None = None, free_providers: Iterable[str] = ()
    ) -> None:
        self._overrides = {(_provider(key[0]), key[1]): rates for key, rates in (overrides or {}).items()}
        self._free = frozenset(canonical_provider(name) for name in free_providers)
        self._known: dict[tuple[str, str], _Entry | None] = {}
        self._timed: dict[tuple[str, str, int], _Entry | None] = {}

    def price(self, provider: str, model: str, usage: Usage, when: int) -> Cost | None:
        """Return the call's cost, None where it cannot be known: no price, or a count that the price needs is missing.

        Cached tokens are part of the input and priced apart. ``when`` is in nanoseconds since the epoch: prices change.
        """
        key = (provider, model)
        try:
            entry = self._known[key]
        except KeyError:
            entry = self._keep(key, when)
        if entry is not None and entry.timed:
            entry = self._at(key, when)
        if entry is None or entry.source != "override":
            if self._free and canonical_provider(provider) in self._free:
                return Cost(0.0, "declared-free")
            if entry is None:
                return None
        usd = _dollars(entry, usage)
        return None if usd is None else Cost(usd, entry.source)

    def _keep(self, key: tuple[str, str], when: int) -> _Entry | None:
        if len(self._known) >= _MAX_CACHED:
            self._known.clear()
        entry = self._known[key] = self._look_up(key, when)
        return entry

    def _at(self, key: tuple[str, str], when: int) -> _Entry | None:
        slot = (*key, when // _SLOT)
        if slot not in self._timed:
            if len(self._timed) >= _MAX_CACHED:
                self._timed.clear()
            self._timed[slot] = self._look_up(key, when)
        return self._timed[slot]

    def _look_up(self, key: tuple[str, str], when: int) -> _Entry | None:
        provider, model = canonical_provider(key[0]), key[1]
        for candidate in ((provider, model), ("*", model), (provider, "*"), ("*", "*")):
            rates = self._overrides.get(candidate)
            if rates is not None:
                return _Entry(rates, "override")
        if not provider or not model or provider in self._free:
            return None
        return _published(_PRICED_AS.get(provider, provider), model, when)


def parse_prices(data: Mapping[str, Any]) -> dict[tuple[str, str], Rates]:
    """Read override prices from a TOML or JSON file's content: provider → model → rates.

    ``[openai."ft:gpt-4o:acme"]`` with ``input``, ``output``, ``cache_read``, ``cache_write``, ``reasoning`` in US
    dollars per million tokens; ``"*"`` stands for any provider or any model. Raises SettingsError that names the place.
    """
    found: dict[tuple[str, str], Rates] = {}
    for provider, models in data.items():
        for model, rates in _table(models, f"{provider!r}").items():
            place = f"{provider!r}.{model!r}"
            found[provider, model] = Rates(**_rates(_table(rates, place), place))
    return found


def _rates(table: Mapping[str, Any], place: str) -> dict[str, float]:
    for key, value in table.items():
        if key not in Rates._fields:
            raise _wrong(f"{place} has the unknown entry {key!r}; known are {', '.join(Rates._fields)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
            raise _wrong(f"{place}.{key} is a {type(value).__name__}; needed is a number of US dollars ≥ 0 per million")
    if not table:
        raise _wrong(f"{place} is empty; give at least one of {', '.join(Rates._fields)}")
    return {key: float(value) for key, value in table.items()}


def _table(value: object, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(f"{place} is a {type(value).__name__}; needed is a table: provider → model → rates")
    return value


def _wrong(what: str) -> SettingsError:
    return SettingsError(f"OTELKIT_PRICES: {what}")


def _provider(name: str) -> str:
    return name if name == "*" else canonical_provider(name)


def _dollars(entry: _Entry, usage: Usage) -> float | None:
    taken, given, read, written, reasoned = usage
    if taken is None:
        return None
    rates = entry.rates
    for start, above in entry.tiers:
        if taken > start:
            rates = above
            break
    if rates.input is None or (rates.output and given is None) or (given and rates.output is None):
        return None
    read = min(read or 0, taken) if rates.cache_read is not None else 0
    written = min(written or 0, taken - read) if rates.cache_write is not None else 0
    reasoned = min(reasoned or 0, given or 0) if rates.reasoning is not None else 0
    return (
        (taken - read - written) * rates.input
        + read * (rates.cache_read or 0.0)
        + written * (rates.cache_write or 0.0)
        + ((given or 0) - reasoned) * (rates.output or 0.0)
        + reasoned * (rates.reasoning or 0.0)
    ) / _MILLION


@cache
def _provider_ids() -> frozenset[str]:
    from genai_prices.data_snapshot import get_snapshot

    return frozenset(provider.id for provider in get_snapshot().providers)


def _published(provider: str, model: str, when: int) -> _Entry | None:
    """Rates of the genai-prices package, which is asked once for each model (and time slot where prices vary)."""
    if provider not in _provider_ids():
        return None
    import genai_prices

    moment = datetime.fromtimestamp(max(when, 0) // 10**9, UTC)
    try:
        found = genai_prices.calc_price(
            genai_prices.Usage(input_tokens=0, output_tokens=0),
            model,
            provider_id=provider,
            genai_request_timestamp=moment,
        )
    except (LookupError, ValueError):
        return None
    price = found.model_price
    starts = {tier.start for name in _PRICE_NAMES.values() for tier in getattr(getattr(price, name), "tiers", ())}
    return _Entry(
        _rates_at(price, 0),
        "genai-prices",
        tuple((start, _rates_at(price, start + 1)) for start in sorted(starts, reverse=True)),
        timed=isinstance(getattr(found.model, "prices", None), list),
    )


_PRICE_NAMES: Final = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "reasoning": "output_reasoning_mtok",
}


def _rates_at(price: object, tokens: int) -> Rates:
    return Rates(**{field: _rate(getattr(price, name), tokens) for field, name in _PRICE_NAMES.items()})


def _rate(price: Any, tokens: int) -> float | None:
    if price is None:
        return None
    for tier in reversed(getattr(price, "tiers", ())):
        if tokens > tier.start:
            return float(tier.price)
    return float(getattr(price, "base", price))
