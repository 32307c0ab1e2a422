"""Reading for the stand-in for OpenAI's API: which sentences of the given passages answer a question."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_PASSAGE = re.compile(r"^\[(\d+)\][ \t]*(.*)$")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`*\"(])")
_MARKUP = re.compile(r"^(?:[-*+]|\d+\.)\s+|[*]{2}")
_STOP = frozenset(
    re.findall(
        r"\w+",
        """
        a about after all also an and any are as at be been but by can could did do does for from get give had
        has have how i if in into is it its just like make me more much my need no not of on one or our out
        please should so some tell than that the their them then there these they this to under up us use want
        was we what when where which who why will with would you your
        """,
    )
)


def stem(word: str) -> str:
    """A crude stem, for comparing only: lower case without a plural or participle ending."""
    word = word.lower()
    for ending in ("ings", "ing", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word.removesuffix("e")


def subject_words(text: str) -> list[str]:
    """The words of a text, without those that say nothing about its subject."""
    return [word for word in _WORD.findall(text.replace("_", " ")) if word.lower() not in _STOP]


def stems(text: str) -> list[str]:
    """The stems of a text's subject words."""
    return [stem(word) for word in subject_words(text)]


@dataclass(frozen=True, slots=True)
class Passage:
    """One retrieved passage as the prompt shows it: a line `[number] title`, then its text."""

    number: int
    title: str
    text: str


def passages(prompt: str) -> list[Passage]:
    """The passages in a prompt. Each starts with a line `[number] title` and goes to the next such line or the end."""
    found: list[Passage] = []
    lines: list[str] = []
    head: re.Match[str] | None = None
    for line in [*prompt.splitlines(), "[0]"]:
        mark = _PASSAGE.match(line)
        if mark is None:
            lines.append(line)
            continue
        if head is not None:
            found.append(Passage(int(head.group(1)), head.group(2).strip(), "\n".join(lines)))
        head, lines = mark, []
    return found


def sentences(text: str) -> list[str]:
    """The sentences of a Markdown text: paragraphs and list items, without code blocks, tables and headings."""
    blocks: list[list[str]] = [[]]
    fenced = False
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("```"):
            fenced = not fenced
        elif fenced or not bare or bare.startswith(("|", "#")):
            blocks.append([])
        elif _MARKUP.match(bare) and not bare.startswith("**"):
            blocks.append([_MARKUP.sub("", bare)])
        else:
            blocks[-1].append(_MARKUP.sub("", bare))
    joined = (" ".join(block) for block in blocks if block)
    return [part for block in joined for part in _SENTENCE_END.split(block) if len(part) > 20]


def best_sentences(question: str, given: Iterable[Passage], most: int = 3) -> list[tuple[str, int]]:
    """Up to `most` sentences that share the rarest words with the question, each with its passage's number."""
    asked = set(stems(question))
    candidates = [(text, passage) for passage in given for text in sentences(passage.text)]
    words = [set(stems(text)) for text, _ in candidates]
    seen_in = Counter(word for found in words for word in found)
    scored: list[tuple[float, int]] = []
    for place, ((text, passage), found) in enumerate(zip(candidates, words, strict=True)):
        titled = asked & set(stems(passage.title))
        # A sentence that shares one common word with a long question answers something else.
        if not asked & found or 3 * len(asked & (found | titled)) < len(asked):
            continue
        rare = math.fsum(math.log(1 + len(candidates) / seen_in[word]) for word in asked & found)
        scored.append(((rare + 0.5 * len(titled)) / (1 + len(text) / 400), -place))
    best = sorted(scored, reverse=True)[:most]
    return [(candidates[-place][0], candidates[-place][1].number) for score, place in best if score > 0.4 * best[0][0]]
