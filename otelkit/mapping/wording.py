"""What stands in the code may be told, what came in as data may not: messages for people outside of the deployment.

Patterns find addresses, cards and keys in a message, but no names. Of a message only those words are kept that the
code itself holds, as its literal texts and identifiers, besides what Python's own errors say; the rest becomes ``*``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from types import CodeType
from typing import Final

__all__ = ["known_words", "words_of_code"]

_LONGEST: Final = 1_000
_WORD: Final = re.compile(r"[^\W\d_]+")
_SPELT: Final = re.compile(r"[^\w\s]*[^\W\d]+(?:[^\w\s@=&%/\\]{1,4}[^\W\d]+)*[^\w\s]*")
_STARS: Final = re.compile(r"\*(?:\s+\*)+")
# What Python says in errors of its own, and the small words between.
_SAID: Final = """
a an and any are argument arguments as at attribute base be by call callable can cannot characters codec could
did division does during empty error exceeded expected failed file for found from get given got has have in
index int invalid is it iterable items key keyword keys length list literal local maximum missing module must
named no none nonetype not object of on only operand or out positional range recursion referenced required
scriptable sequence set should size str string subscriptable such supported takes than that the this time to too
tuple type unexpected unhashable unpack unsupported value values variable was with without zero dict float bool
bytes s timed connection refused reset closed timeout directory permission denied
"""
_COMMON: Final = frozenset(_SAID.split())


def known_words(text: str, vocabulary: Set[str]) -> str:
    """Return a text with ``*`` for every word that is neither in the vocabulary nor in any error's message.

    Args:
        text: what is said.
        vocabulary: words in lower case, such as :func:`words_of_code` gives.
    """
    kept = [word if _is_known(word, vocabulary) else "*" for word in text[:_LONGEST].split()]
    return _STARS.sub("*", " ".join(kept))


def words_of_code(code: CodeType) -> frozenset[str]:
    """Return the words of a function's literal texts and of the names it uses."""
    found: set[str] = set()
    texts = [*_literals(code.co_consts), *code.co_names, *code.co_varnames]
    for text in texts:
        found.update(word.lower() for word in _WORD.findall(text))
    return frozenset(found)


def _literals(constants: Iterable[object]) -> Iterable[str]:
    for constant in constants:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, tuple | frozenset):
            yield from _literals(constant)


def _is_known(word: str, vocabulary: Set[str]) -> bool:
    if not any(character.isalnum() for character in word):
        return True
    if not _SPELT.fullmatch(word):
        return False
    return all(part.lower() in vocabulary or part.lower() in _COMMON for part in _WORD.findall(word))
