"""``mainspring arena``: arenas at a running server, votes in the terminal, and leaderboards."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from mainspring.command import QUALITY, Command
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="Compare models by blind votes.", no_args_is_help=True)
Arena = Annotated[str, typer.Argument(help="The arena's name")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]


@app.command("list")
def list_arenas(context: typer.Context, as_json: AsJson = False) -> None:
    """List arenas."""
    found = Server.of(context).call("GET", "/v1/arena")["data"]
    if as_json:
        show.as_json(found)
    elif not found:
        print("No arenas: `mainspring arena define` makes one.")
    else:
        rows = [(each["id"], ", ".join(each.get("definition", {}).get("models", ()))) for each in found]
        show.table(("ARENA", "MODELS"), rows)


@app.command("define")
def define_arena(
    context: typer.Context,
    arena: Arena,
    models: Annotated[list[str], typer.Argument(help="Models, applications or collections to compare")],
    dataset: Annotated[str, typer.Option(help="A data set of recorded questions")] = "",
    traces: Annotated[bool, typer.Option(help="Draw questions from recorded answers")] = False,
    votes_per_day: Annotated[int, typer.Option(min=1, help="Maximum votes of a person in a day")] = 200,
    as_json: AsJson = False,
) -> None:
    """Create an arena, or change its models."""
    body = {"models": models, "dataset": dataset, "traces": traces, "votes_per_day": votes_per_day}
    made = Server.of(context).call("PUT", _path(arena), body)
    show.done(f"The arena {arena} compares {', '.join(models)}.", made, as_json)


@app.command("delete")
def delete_arena(context: typer.Context, arena: Arena, as_json: AsJson = False) -> None:
    """Delete an arena with its votes."""
    show.done(f"The arena {arena} is deleted.", Server.of(context).call("DELETE", _path(arena)), as_json)


@app.command("ask")
def ask_both(
    context: typer.Context,
    arena: Arena,
    question: Annotated[str | None, typer.Argument(help="The question; without one, a recorded question")] = None,
    category: Annotated[str, typer.Option(help="What the question is about")] = "",
    as_json: AsJson = False,
) -> None:
    """Show two blind answers; vote on them with `mainspring arena vote`."""
    body: dict[str, Any] = {"category": category} | ({} if question is None else {"question": question})
    battle = Server.of(context).call("POST", f"{_path(arena)}/battles", body)
    if as_json:
        show.as_json(battle)
        return
    print(f"{battle['question']}\n")
    for side in ("left", "right"):
        said = battle[side]
        print(f"--- {side}\n{said['text'].strip() or said['error']['message']}\n")
    vote_so = f"mainspring arena vote {arena} {battle['id']} left|right|tie|neither"
    print(vote_so if battle["open"] else "There is nothing to vote on.")


@app.command("vote")
def vote(
    context: typer.Context,
    arena: Arena,
    battle: Annotated[str, typer.Argument(help="From `mainspring arena ask`")],
    winner: Annotated[str, typer.Argument(help="left, right, tie or neither")],
    as_json: AsJson = False,
) -> None:
    """Vote for the better answer, and see the names of the models."""
    told = Server.of(context).call("POST", f"{_path(arena)}/battles/{quote(battle)}/votes", {"winner": winner})
    show.done(f"left: {told['left']['model']}, right: {told['right']['model']}", told, as_json)


@app.command("leaderboard")
def leaderboard(
    context: typer.Context,
    arena: Arena,
    style: Annotated[list[str] | None, typer.Option(help="Control for length, headings, lists or bold")] = None,
    category: Annotated[str, typer.Option(help="Votes on these questions only")] = "",
    as_json: AsJson = False,
) -> None:
    """Show the ratings of an arena's models, with 95 % intervals."""
    asked = urlencode({"style": style or [], "category": category}, doseq=True)
    found = Server.of(context).call("GET", f"{_path(arena)}/leaderboard?{asked}")
    if as_json:
        show.as_json(found)
    elif not found["data"]:
        print("No votes.")
    else:
        rows = [
            (each["rank"], each["model"], _rating(each["rating"]), each["wins"], each["losses"], each["ties"])
            for each in found["data"]
        ]
        show.table(("RANK", "MODEL", "RATING", "WON", "LOST", "TIES"), rows)


@app.command("voters")
def list_voters(context: typer.Context, arena: Arena, as_json: AsJson = False) -> None:
    """List who has voted, with suspicions."""
    found = Server.of(context).call("GET", f"{_path(arena)}/voters")["data"]
    if as_json:
        show.as_json(found)
    elif not found:
        print("No votes.")
    else:
        rows = [
            (
                each["id"],
                each["votes"],
                f"{each['left']:.0%}",
                f"{each['seconds']:.0f} s",
                f"{each['against']:+.1f}",
                f"{each['drift']:+.1f}",
                "excluded" if each["excluded"] is not None else ", ".join(each["suspicions"]) or "-",
            )
            for each in found
        ]
        show.table(("VOTER", "VOTES", "LEFT", "TIME", "AGREEMENT", "DRIFT", "SUSPICIONS"), rows)


@app.command("exclude")
def exclude_voter(
    context: typer.Context,
    arena: Arena,
    voter: Annotated[str, typer.Argument(help="From `mainspring arena voters`")],
    reason: Annotated[str, typer.Option(help="The reason")] = "",
    again: Annotated[bool, typer.Option(help="Include the votes again")] = False,
    as_json: AsJson = False,
) -> None:
    """Exclude a person's votes from leaderboards."""
    body = {"excluded": not again, "reason": reason}
    made = Server.of(context).call("PUT", f"{_path(arena)}/voters/{quote(voter, safe='')}", body)
    show.done(f"The votes of {voter} {'count again' if again else 'do not count'}.", made, as_json)


def _rating(found: dict[str, float]) -> str:
    return f"{found['value']:.0f} [{found['low']:.0f}, {found['high']:.0f}]"


def _path(arena: str) -> str:
    return f"/v1/arena/{quote(arena, safe='')}"


COMMANDS = (Command("arena", app, QUALITY),)
