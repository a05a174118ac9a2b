"""The commands: quality over judged collections, and the fitting of the router."""

from mainspring.command import MODELS, QUALITY, Command
from mainspring.features.evaluate.commands import measure, routes

COMMANDS = (Command("eval", measure.app, QUALITY), Command("routes", routes.app, MODELS))
