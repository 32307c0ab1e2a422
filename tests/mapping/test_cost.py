"""Prices: from the package, overridden, free, or unknown."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import genai_prices
import pytest
from genai_prices.data_snapshot import get_snapshot

from otelkit.errors import SettingsError
from otelkit.mapping.cost import Cost, PriceBook, Rates, parse_prices
from otelkit.mapping.genai import Usage

WHEN = 1_790_000_000 * 10**9  # in September 2026
THOUSAND = Usage(1_000, 100)


def usd(book: PriceBook, provider: str, model: str, usage: Usage = THOUSAND) -> float | None:
    cost = book.price(provider, model, usage, WHEN)
    return None if cost is None else cost.usd


def test_a_known_model() -> None:
    cost = PriceBook().price("openai", "gpt-4o-mini-2024-07-18", Usage(1_000, 100, cache_read=400), WHEN)
    assert cost is not None
    assert cost.source == "genai-prices"
    assert cost.usd == pytest.approx((600 * 0.15 + 400 * 0.075 + 100 * 0.6) / 1e6)


@pytest.mark.parametrize(
    ("provider", "model", "as_provider"),
    [
        ("gcp.gen_ai", "gemini-2.5-pro", "google"),
        ("gcp.gemini", "gemini-2.5-pro", "google"),
        ("gcp.vertex_ai", "gemini-2.5-pro", "google"),
        ("x_ai", "grok-3", "x-ai"),
        ("azure.ai.openai", "gpt-4o", "azure"),
        ("azure", "gpt-4o", "azure"),
        ("aws.bedrock", "anthropic.claude-3-5-sonnet-20240620-v1:0", "aws"),
        ("mistral_ai", "mistral-large-latest", "mistral"),
        ("OpenAI", "gpt-4o", "openai"),
    ],
)
def test_provider_names_of_the_conventions(provider: str, model: str, as_provider: str) -> None:
    expected = genai_prices.calc_price(
        genai_prices.Usage(input_tokens=1_000, output_tokens=100),
        model,
        provider_id=as_provider,
        genai_request_timestamp=datetime.fromtimestamp(WHEN // 10**9, UTC),
    )
    assert usd(PriceBook(), provider, model) == pytest.approx(float(expected.total_price))


@pytest.mark.parametrize("provider", ["ollama", "vllm", "local", "", "my-openai-proxy", "ibm.watsonx.ai"])
def test_a_model_is_never_priced_by_its_name_alone(provider: str) -> None:
    assert usd(PriceBook(), provider, "gpt-4o") is None


def test_unknown_is_unknown() -> None:
    book = PriceBook()
    assert usd(book, "openai", "no-such-model") is None
    assert usd(book, "openai", "") is None
    assert usd(book, "openai", "gpt-4o", Usage()) is None
    assert usd(book, "openai", "gpt-4o", Usage(input=10)) is None
    assert usd(book, "openai", "gpt-4o", Usage(output=10)) is None
    assert usd(book, "openai", "gpt-4o", Usage(0, 0)) == 0
    assert usd(book, "openai", "text-embedding-3-small", Usage(input=1_000)) == pytest.approx(0.02 / 1_000)


def test_agrees_with_the_package_on_many_models() -> None:
    dice = random.Random(11)
    moment = datetime.fromtimestamp(WHEN // 10**9, UTC)
    book = PriceBook()
    plain = {"input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok"}
    checked = 0
    providers = [
        one for one in get_snapshot().providers if one.id in ("openai", "anthropic", "google", "deepseek", "x-ai")
    ]
    for provider in providers:
        for model in provider.models:
            usage = Usage(dice.randrange(1_000, 300_000), dice.randrange(5_000), dice.randrange(900))
            counts = {"input_tokens": usage.input, "output_tokens": usage.output, "cache_read_tokens": usage.cache_read}
            try:
                theirs = genai_prices.calc_price(
                    genai_prices.Usage(**counts), model.id, provider_id=provider.id, genai_request_timestamp=moment
                )
            except (LookupError, ValueError):
                continue
            priced = {
                key for key, rate in vars(theirs.model_price).items() if rate is not None and key.endswith("_mtok")
            }
            ours = usd(book, provider.id, model.id, usage)
            if (
                ours is None
                or not {"input_mtok", "output_mtok"} <= priced
                or "requests_kcount" in vars(theirs.model_price)
            ):
                continue
            checked += bool(priced & plain)
            assert ours == pytest.approx(float(theirs.total_price)), (provider.id, model.id)
    assert checked > 100


def test_prices_follow_the_date() -> None:
    book = PriceBook()
    long_ago = book.price("deepseek", "deepseek-chat", THOUSAND, 1_735_000_000 * 10**9)  # December 2024
    lately = book.price("deepseek", "deepseek-chat", THOUSAND, WHEN)
    assert long_ago is not None
    assert lately is not None
    assert long_ago.usd != lately.usd
    assert book.price("deepseek", "deepseek-chat", THOUSAND, 1_735_000_000 * 10**9) == long_ago


OVERRIDES = {
    ("openai", "gpt-4o"): Rates(1.0, 2.0),
    ("*", "house"): Rates(3.0, 4.0, 0.5, 5.0),
    ("vllm", "*"): Rates(7.0, 8.0),
    ("vllm", "gpt-4o"): Rates(9.0, 9.0),
}


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "gpt-4o", 1_000 * 1.0 + 100 * 2.0),
        ("anything", "house", 1_000 * 3.0 + 100 * 4.0),
        ("", "house", 1_000 * 3.0 + 100 * 4.0),
        ("vllm", "llama", 1_000 * 7.0 + 100 * 8.0),
        ("vllm", "gpt-4o", 1_100 * 9.0),
        ("vllm", "house", 1_000 * 3.0 + 100 * 4.0),
    ],
)
def test_overrides(provider: str, model: str, expected: float) -> None:
    cost = PriceBook(OVERRIDES, free_providers=["vllm"]).price(provider, model, THOUSAND, WHEN)
    assert cost == Cost(pytest.approx(expected / 1e6), "override")


def test_cached_tokens_are_part_of_the_input() -> None:
    book = PriceBook(OVERRIDES)
    assert usd(book, "x", "house", Usage(1_000, 0, 400, 100)) == pytest.approx((500 * 3 + 400 * 0.5 + 100 * 5) / 1e6)
    assert usd(book, "x", "house", Usage(100, 0, 400, 100)) == pytest.approx(100 * 0.5 / 1e6)  # never below nothing
    assert usd(book, "openai", "gpt-4o", Usage(1_000, 0, 400)) == pytest.approx(1_000 / 1e6)  # no price of its own


def test_declared_free() -> None:
    book = PriceBook(free_providers=["Ollama"])
    assert book.price("ollama", "gpt-4o", Usage(), WHEN) == Cost(0.0, "declared-free")
    assert book.price("OLLAMA", "", THOUSAND, WHEN) == Cost(0.0, "declared-free")
    assert usd(book, "vllm", "gpt-4o") is None


def test_prices_from_a_file() -> None:
    data = {"openai": {"ft:gpt-4o": {"input": 1, "output": 2.5, "cache_read": 0}}, "*": {"house": {"input": 3}}}
    assert parse_prices(data) == {("openai", "ft:gpt-4o"): Rates(1.0, 2.5, 0.0), ("*", "house"): Rates(3.0)}
    assert usd(PriceBook(parse_prices(data)), "openai", "ft:gpt-4o", Usage(2, 0, 2)) == 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"openai": 3}, "'openai' is a int; needed is a table"),
        ({"openai": {"m": [1]}}, "'openai'.'m' is a list; needed is a table"),
        ({"openai": {"m": {}}}, "'openai'.'m' is empty"),
        ({"openai": {"m": {"inputs": 1}}}, "unknown entry 'inputs'; known are input, output"),
        ({"openai": {"m": {"input": "1"}}}, "'openai'.'m'.input is a str; needed is a number"),
        ({"openai": {"m": {"input": -1}}}, "needed is a number of US dollars ≥ 0"),
        ({"openai": {"m": {"input": True}}}, "is a bool"),
        ({"openai": {"m": {"input": float("nan")}}}, "needed is a number"),
    ],
)
def test_wrong_prices_stop_the_start(data: Any, message: str) -> None:
    with pytest.raises(SettingsError, match="OTELKIT_PRICES") as raised:
        parse_prices(data)
    assert message in str(raised.value)


def test_the_package_is_loaded_at_the_first_need_only() -> None:
    code = (
        "import sys; from otelkit.mapping.cost import PriceBook; from otelkit.mapping.genai import Usage\n"
        "book = PriceBook(free_providers=['ollama']); book.price('ollama', 'm', Usage(1, 1), 1)\n"
        "assert 'genai_prices' not in sys.modules\n"
        "assert book.price('openai', 'gpt-4o', Usage(1, 1), 1) and 'genai_prices' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_warm_lookup_is_cheap() -> None:
    book = PriceBook()
    book.price("openai", "gpt-4o", THOUSAND, WHEN)
    cold = time.process_time()
    genai_prices.calc_price(genai_prices.Usage(input_tokens=1), "gpt-4o", provider_id="openai")
    cold = time.process_time() - cold
    best = min(_timed(book) for _ in range(5))
    assert best < max(cold / 5, 20e-6)  # about 2.5 µs on a quiet machine


def _timed(book: PriceBook) -> float:
    begun = time.process_time()
    for _ in range(1_000):
        book.price("openai", "gpt-4o", THOUSAND, WHEN)
    return (time.process_time() - begun) / 1_000
