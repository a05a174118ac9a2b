"""The commands: quality over collections that were judged, and what the router is fitted to."""

from mainspring.command import MODELS, QUALITY, Command
from mainspring.features.evaluate.commands import measure, routes

COMMANDS = (Command("eval", measure.app, QUALITY), Command("routes", routes.app, MODELS))
