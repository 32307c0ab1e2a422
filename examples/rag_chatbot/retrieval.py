"""Retrieval over Markdown files: passages cut at headings, found with SQLite's full-text search, ranked by BM25."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import otelkit

MOST_CHARACTERS = 1200
"""Longest passage; a longer section is cut between paragraphs, a longer paragraph between lines."""

_HEADING = re.compile(r"^(#{1,4})\s+(.*\S)\s*$")
_WORD = re.compile(r"\w{2,}")
_COMMON = frozenset(
    re.findall(
        r"\w+",
        """an and are as at be can do does for from has have how in is it its me my not of on or our should tell that
        the their there these this to us was we what when where which who why will with you your""",
    )
)


@dataclass(frozen=True)
class Passage:
    """A piece of the handbook. `score` is a similarity from 0 to 1, higher is better."""

    id: str
    title: str
    text: str
    score: float = 0.0


class Handbook:
    """A full-text index in memory over some Markdown files."""

    def __init__(self, root: Path, files: Iterable[Path]) -> None:
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.execute(
            "CREATE VIRTUAL TABLE passages USING fts5(id UNINDEXED, title, text, tokenize='porter unicode61')"
        )
        for file in files:
            rows = [(p.id, p.title, p.text) for p in split(file.relative_to(root).as_posix(), file.read_text("utf-8"))]
            self._db.executemany("INSERT INTO passages VALUES (?, ?, ?)", rows)
        self._db.commit()

    @classmethod
    def of_project(cls, root: Path) -> Handbook:
        """The handbook of a checkout: its README and `docs/`, or this example's README where there is neither."""
        files = [file for file in (root / "README.md", *sorted((root / "docs").glob("*.md"))) if file.is_file()]
        return cls(root, files) if files else cls(Path(__file__).parent, [Path(__file__).with_name("README.md")])

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM passages").fetchone()[0])

    @otelkit.traced_retrieval(data_source="handbook")
    def retrieve(self, query: str, k: int = 4) -> list[Passage]:
        """The `k` passages that fit best, best first; none where no word of the query occurs."""
        wanted = match_expression(query)
        if not wanted:
            return []
        rows = self._db.execute(
            "SELECT id, title, text, bm25(passages, 0, 3, 1) AS rank FROM passages"
            " WHERE passages MATCH ? ORDER BY rank LIMIT ?",
            (wanted, k),
        )
        return [Passage(id, title, text, similarity(rank)) for id, title, text, rank in rows]


def match_expression(query: str) -> str:
    """A full-text query that finds any of the query's words; quoted, so that nothing in it is an operator."""
    words = dict.fromkeys(word.lower() for word in _WORD.findall(query))
    return " OR ".join(f'"{word}"' for word in words if word not in _COMMON)


def similarity(rank: float) -> float:
    """SQLite's BM25 is negative and open-ended, lower being better: map it to 0 … 1, higher being better."""
    weight = max(0.0, -rank)
    return round(weight / (1 + weight), 4)


def split(name: str, markdown: str) -> Iterator[Passage]:
    """Cut a Markdown text at its headings, and long sections between paragraphs."""
    trail: list[str] = []
    lines: list[str] = []
    fenced = False
    number = 0
    for line in [*markdown.splitlines(), "# end"]:
        fence = line.lstrip().startswith("```")
        fenced ^= fence
        heading = None if fenced else _HEADING.match(line)
        if heading is None:
            if not (fenced or fence):  # code answers no question by itself
                lines.append(line)
            continue
        for text in _portions("\n".join(lines)):
            number += 1
            yield Passage(f"{name}#{number}", " › ".join(trail[-2:]) or name, text)
        trail[len(heading.group(1)) - 1 :] = [heading.group(2).replace("`", "")]
        lines = []


def _portions(section: str) -> Iterator[str]:
    portion = ""
    for part in _parts(section):
        if portion.strip() and len(portion) + len(part) > MOST_CHARACTERS:
            yield portion.strip()
            portion = ""
        portion += part
    if portion.strip():
        yield portion.strip()


def _parts(section: str) -> Iterator[str]:
    """Paragraphs; of those that are too long for one passage, such as tables, the lines."""
    for paragraph in re.split(r"\n\s*\n", section):
        ended = paragraph + "\n\n"
        yield from ended.splitlines(keepends=True) if len(ended) > MOST_CHARACTERS else [ended]
