"""What was said in each conversation, in memory and bounded."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

MOST_CONVERSATIONS = 2_000
MOST_MESSAGES = 12


class Conversations:
    """The latest messages of the latest conversations."""

    def __init__(self) -> None:
        self._messages: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()

    def history(self, conversation_id: str) -> list[dict[str, Any]]:
        """What the model is told of the conversation so far, oldest first."""
        return list(self._messages.get(conversation_id, ()))

    def knows(self, conversation_id: str) -> bool:
        """Whether something was said in it."""
        return conversation_id in self._messages

    def add(self, conversation_id: str, question: str, answer: str) -> None:
        """Remember an exchange."""
        kept = self._messages.setdefault(conversation_id, [])
        kept += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        del kept[:-MOST_MESSAGES]
        self._messages.move_to_end(conversation_id)
        while len(self._messages) > MOST_CONVERSATIONS:
            self._messages.popitem(last=False)
