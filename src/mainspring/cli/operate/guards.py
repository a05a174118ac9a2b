"""``mainspring guards``: checking files of rules, and trying what a policy would do to a text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.core.settings import load
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.guards.policy.policies import GuardDecision, GuardPolicy

app = typer.Typer(
    help="Check files of rules for answers, and try a policy on a text.",
    epilog="What the guards do and what a file of rules says: docs/operate/security.md.",
    no_args_is_help=True,
)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]


@app.command("check")
def check(
    file: Annotated[str, typer.Argument(help="A file of rules, or `default`: the package's")],
    as_json: AsJson = False,
) -> None:
    """Read a file of rules and show its content. An error names the faulty key."""
    from mainspring.guards.rules import file as files
    from mainspring.guards.rules.rewrite import Rewriting

    rules = files.read(file)
    facts: dict[str, Any] = {
        "file": file,
        "version": rules.version,
        "terms": sum(len(term.find) for term in rules.terms),
        "pronouns": rules.pronouns,
        "nsfw": len(rules.nsfw.terms),
        "patterns": len(rules.patterns),
        "format": rules.format.model_dump(exclude_defaults=True),
        "characters_held": Rewriting(rules).width,
    }
    if as_json:
        show.as_json(facts)
        return
    show.table(("", ""), list(facts.items()))


@app.command("try")
def attempt(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="A text, or - for standard input")],
    policy: Annotated[str, typer.Option("--policy", help="A named policy", show_default="everybody's")] = "default",
    rules: Annotated[str, typer.Option("--rules", help="A file of rules that replaces the policy's")] = "",
    question: Annotated[str, typer.Option("--question", help="A question for which the text would be the answer")] = "",
    detect: Annotated[
        bool, typer.Option("--detect", help="Also run the detectors, which load the embedding model")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a policy would do to TEXT as a question and as an answer. Nothing is recorded, and no server is
    involved."""
    import sys

    from mainspring.guards.policy.by_application import Policies

    settings = load(context.obj).settings
    guards = settings.guards if not rules else settings.guards.model_copy(update={"rules": rules})
    policies = Policies(guards)
    chosen = policies.default if policy == "default" else policies.named.get(policy)
    if chosen is None:
        from mainspring.core.errors import NotFound

        known = ", ".join(["default", *policies.named])
        raise NotFound(f"there is no policy {policy!r}", remedy=f"There are {known}")
    if rules and policy != "default":
        import dataclasses

        chosen = dataclasses.replace(chosen, rules=rules)
    said = sys.stdin.read() if text == "-" else text
    scores = asyncio.run(_scores(context.obj, said, question)) if detect else {}
    found = _tried(chosen, said, scores)
    if as_json:
        show.as_json(found)
        return
    print(f"policy {found['policy']}{' (dry run: nothing is changed)' * chosen.dry_run}")
    for stage in ("question", "answer"):
        print(f"\nas {'a question' if stage == 'question' else 'an answer'}")
        decided = [(each["guard"], each["action"], each["kind"], each["count"]) for each in found[stage]["decisions"]]
        if decided:
            show.table(("guard", "action", "kind", "count"), decided)
        print(show.printable(found[stage]["text"]))


def _tried(policy: GuardPolicy, text: str, scores: dict[str, float]) -> dict[str, Any]:
    """The decisions, and the resulting text."""
    checked = policy.inspect(text)
    judged = policy.judge({name: scores[name] for name in policy.detecting if name in scores})
    refused = [each for each in (*checked.decisions, *judged) if each.action == "refuse" and not each.dry_run]
    into = "" if refused else checked.text
    shown = text
    counts: dict[str, int] = {}
    if (make := policy.rewriter()) is not None:
        rewriter = make()
        shown = rewriter.push(shown) + rewriter.flush()
        counts.update(rewriter.counts)
    if (output := policy.output()) is not None:
        redactor = output()
        shown = redactor.push(shown) + redactor.flush()
        counts.update(redactor.counts)
    content = [policy.judge_answer(kind, scores[kind]) for kind in ("toxicity", "relevancy") if kind in scores]
    answered = [*policy.output_decisions(counts), *(each for each in content if each is not None)]
    if any(each.action in ("refuse", "retry", "redact") and each.guard == "answer" for each in answered):
        shown = shown if policy.dry_run else policy.answers.reason
    return {
        "policy": policy.version,
        "question": {"text": into, "decisions": _facts((*checked.decisions, *judged))},
        "answer": {"text": shown, "decisions": _facts(answered)},
        **({"scores": {name: round(value, 4) for name, value in scores.items()}} if scores else {}),
    }


def _facts(decisions: Sequence[GuardDecision]) -> list[dict[str, Any]]:
    # Without where and in whose words: it was said here.
    told = [each.facts("", "").plain() for each in decisions]
    return [{name: value for name, value in each.items() if value != ""} for each in told]


async def _scores(config: Path | None, text: str, question: str) -> dict[str, float]:
    """The detectors' probabilities, and how near the text is to ``question``."""
    import numpy as np

    from mainspring.core.errors import SettingsError
    from mainspring.engines import builtin
    from mainspring.guards.detect import embedding_detector

    embedder = await builtin.embedder(load(config).settings)
    heads = embedding_detector.packaged()
    try:
        if heads.embedder != embedder.name:
            raise SettingsError(
                f"the detectors were fitted on embeddings of {heads.embedder}, and models.embedding is {embedder.name}",
                remedy="Leave --detect out",
            )
        found = dict((await embedding_detector.score([text], heads, list(heads.heads), embedder)).scores[0])
        if question:
            asked = (await embedder.embed([question], "query")).vectors[0]
            answer = (await embedder.embed([text], "passage")).vectors[0]
            found["relevancy"] = float(np.dot(asked, answer))
        return found
    finally:
        await embedder.close()
