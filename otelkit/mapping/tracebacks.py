"""A traceback's text as chains of frames: Python's in full, of other languages the function that raised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["Frame", "Raised", "chain_of", "culprit_of", "elsewhere", "is_foreign", "steady"]

_LONGEST: Final = 65_536  # characters that are read; redaction keeps no more
_MOST_FRAMES: Final = 400
_HEAD: Final = "Traceback (most recent call last):"
_FRAME: Final = re.compile(r'File "(?P<file>[^"]{1,1000})", line (?P<line>\d{1,9})(?:, in (?P<function>.{1,300}))?')
_RAISED: Final = re.compile(r"(?P<type>[A-Za-z_][\w.]{0,300}|<[^<>]{1,100}>)(?::\ ?(?P<message>.*))?\Z", re.DOTALL)
_GROUP: Final = re.compile(r"[ \t]{0,80}[|+][ \t]?")
_RULE: Final = re.compile(r"[ \t]{0,80}\+(?:-\+)?-{4,}[ \d.-]*\Z")
_LINKS: Final = {
    "The above exception was the direct cause of the following exception:": "cause",
    "During handling of the above exception, another exception occurred:": "context",
}
_ELSEWHERE: Final = re.compile(
    r"\s{0,40}at\s(?:async\s)?(?:new\s)?(?P<function>[\w$.<>]{1,200})\s?\((?P<file>[^()\n]{0,300})"
)
# Code of nobody who reads their own errors: installed packages, the standard library, and what records the error.
_FOREIGN: Final = re.compile(
    r"[\\/](?:site|dist)-packages[\\/]|[\\/]lib(?:64)?[\\/]python\d[\d.]{0,8}[\\/]|[\\/]Lib[\\/]|\A<(?!stdin>|string>)"
    r"|[\\/]otelkit[\\/](?:sdk|mapping)[\\/]|[\\/]node_modules[\\/]|\Anode:|\Ajava\.|\Asun\."
)
_HOMES: Final = frozenset({"home", "Users", "users"})
_PLAIN_FOLDER: Final = re.compile(r"[A-Za-z_][A-Za-z_-]{0,60}\Z")
_DIGITS: Final = re.compile(r"\d+")


class Frame(NamedTuple):
    """One call: ``app`` says that it is the application's own code; ``place`` is its file without where it lies."""

    file: str
    line: int
    function: str
    code: str
    app: bool

    @property
    def place(self) -> str:
        return _place(self.file)


class Raised(NamedTuple):
    """One exception of a chain; ``link`` says how it belongs to the last one: cause, context or member (of a group)."""

    type: str
    message: str
    frames: tuple[Frame, ...]
    link: str = ""


def is_foreign(file: str) -> bool:
    """Whether a file is nobody's own code: an installed package's, the standard library's, otelkit's."""
    return bool(_FOREIGN.search(file))


def chain_of(stacktrace: str) -> tuple[Raised, ...]:
    """Return the exceptions that a Python traceback tells of, the one that was recorded last; none of other texts."""
    if _HEAD not in stacktrace[:_LONGEST]:
        return ()
    found: list[Raised] = []
    for link, lines in _sections(stacktrace[:_LONGEST]):
        raised = _raised(lines, link)
        if raised is not None:
            found.append(raised)
    main = next((raised for raised in reversed(found) if not raised.link), None)
    return (*(raised for raised in found if raised is not main), main) if main is not None else tuple(found)


def culprit_of(raised: Raised) -> Frame | None:
    """Return the call to look at first: the application's innermost one, else the innermost of all."""
    return next((frame for frame in reversed(raised.frames) if frame.app), raised.frames[-1] if raised.frames else None)


def elsewhere(stacktrace: str) -> str:
    """Return the function that raised in a traceback of JavaScript, Java or C#; an empty string where none is found."""
    first = ""
    for found in _ELSEWHERE.finditer(stacktrace[:_LONGEST]):
        if not _FOREIGN.search(found["file"]) and not _FOREIGN.search(found["function"]):
            return found["function"]
        first = first or found["function"]
    return first


def steady(name: str) -> str:
    """Return a function's name without the numbers of generated ones."""
    return _DIGITS.sub("#", name)


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """Cut a text where one exception's part ends; each with its link to what follows."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        if _RULE.match(line):
            yield "member" if inside else "", lines
            lines, inside = [], True
            continue
        bare = _GROUP.sub("", line, count=1) if line.lstrip().startswith(("|", "+")) else line
        link = _LINKS.get(bare.strip())
        if link is not None:
            yield "member" if inside else link, lines
            lines = []
        else:
            lines.append(bare)
    yield "member" if inside else "", lines


def _raised(lines: list[str], link: str) -> Raised | None:
    frames: list[Frame] = []
    said: list[str] = []
    started = False
    for line in lines:
        text = line.strip()
        if text.endswith(_HEAD):
            started, frames, said = True, [], []
            continue
        if not started:
            continue
        frame = _FRAME.match(text) if line[:1] in " \t" else None
        if frame is not None and not said:
            if len(frames) < _MOST_FRAMES:
                file = frame["file"]
                app = not is_foreign(file)
                frames.append(Frame(file, int(frame["line"]), frame["function"] or "<module>", "", app))
        elif said or (line[:1] not in " \t" and text):
            said.append(line)
        elif frames and not frames[-1].code and text and not text.startswith(("^", "~", "[Previous line")):
            frames[-1] = frames[-1]._replace(code=text)
    words = _RAISED.match("\n".join(said).strip()) if said else None
    if words is None:
        return None
    return Raised(words["type"], (words["message"] or "").strip(), tuple(frames), link)


def _place(file: str) -> str:
    """A file's name with its package's: neither the machine's folders nor a user's, and no number of a release."""
    parts = [part for part in re.split(r"[\\/]+", file) if part]
    if not parts:
        return file
    parent, above = (parts[-2], parts[-3]) if len(parts) > 2 else ("", "")
    if (
        parent
        and _PLAIN_FOLDER.match(parent)
        and above not in _HOMES
        and parent not in {"site-packages", "dist-packages"}
    ):
        return f"{parent}/{parts[-1]}"
    return parts[-1]
