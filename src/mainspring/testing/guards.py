"""The contract of guards."""

from __future__ import annotations

import asyncio
import re

import pytest

from mainspring.guards.policy.scanners import AnswerGuard, TextGuard

KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


@pytest.mark.asyncio
class GuardSuite:
    """A subclass has a fixture ``guard``, with texts in which it must find something and texts that it must accept."""

    bad: tuple[str, ...] = ()
    good: tuple[str, ...] = ()

    async def test_it_finds_what_it_is_there_for(self, guard: TextGuard) -> None:
        assert self.bad
        assert [text for text in self.bad if not await guard.scan(text, "user")] == []

    async def test_it_lets_the_rest_pass(self, guard: TextGuard) -> None:
        assert self.good
        assert {text: found for text in self.good if (found := await guard.scan(text, "user"))} == {}

    async def test_findings_are_counted_and_hold_no_text(self, guard: TextGuard) -> None:
        for text in self.bad:
            for each in await guard.scan(text, "user"):
                assert KIND.fullmatch(each.kind)
                assert each.count >= 1
                assert each.score is None or 0 <= each.score <= 1

    async def test_it_finds_the_same_again_and_beside_others(self, guard: TextGuard) -> None:
        texts = [*self.bad, *self.good]
        alone = [list(await guard.scan(text, "user")) for text in texts]
        together = await asyncio.gather(*(guard.scan(text, "user") for text in texts))
        assert [list(each) for each in together] == alone

    @pytest.mark.parametrize("text", ["", " ", "\0\ud800", "日本語" * 100, "a" * 100_000])
    @pytest.mark.parametrize("role", ["user", "tool", "query"])
    async def test_any_text_is_looked_at(self, guard: TextGuard, text: str, role: str) -> None:
        await guard.scan(text, role)

    async def test_an_answer_is_shown_alike_in_whatever_pieces(self, guard: TextGuard) -> None:
        """For guards that look at answers."""
        if not isinstance(guard, AnswerGuard):
            return
        for text in (*self.bad, *self.good):
            shown = []
            for size in (len(text), 1, 3, 7):
                part = guard.answer()
                pieces = [part.push(text[start : start + size]) for start in range(0, len(text), size)]
                shown.append(("".join([*pieces, part.flush()]), dict(part.counts)))
            assert all(each == shown[0] for each in shown)
            assert all(KIND.fullmatch(kind) for _, counts in shown for kind in counts)

    async def test_it_has_a_version(self, guard: TextGuard) -> None:
        assert isinstance(guard.version, str)
        assert guard.version
