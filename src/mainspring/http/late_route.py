"""Routes that are analysed when they are first needed.

A server has hundreds of routes, and a day of most servers uses a dozen. To analyse one takes more than a millisecond:
its signature, a validator of each parameter, the schema of its answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import compile_path, get_name


class LateRoute(APIRoute):
    """A route that knows its path, methods and name; all else is made when it is first read: by a request to this
    route, or by the description of the API. Routers name it as their ``route_class``. Arguments as of ``APIRoute``,
    whose errors (of parameters that cannot be read) are raised then."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        name: str | None = None,
        methods: set[str] | list[str] | None = None,
        include_in_schema: bool = True,
        **options: Any,
    ) -> None:
        self.path, self.endpoint = path, endpoint
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)
        self.name = get_name(endpoint) if name is None else name
        self.methods = {method.upper() for method in methods or ["GET"]}
        self.include_in_schema = include_in_schema
        self._options: dict[str, Any] | None = options
        self._common: APIRoute | None = None

    def answers_too(self, common: APIRoute) -> None:
        """Has the responses of ``common`` beside its own; its own stand where both have one."""
        self._common = common

    def __getattr__(self, name: str) -> Any:
        # Python asks this for what an instance lacks, so never again after all is made.
        options = self.__dict__.get("_options")
        if options is None or name.startswith("__"):
            raise AttributeError(name)
        self._options = None
        super().__init__(
            self.path,
            self.endpoint,
            name=self.name,
            methods=self.methods,
            include_in_schema=self.include_in_schema,
            **options,
        )
        if self._common is not None:
            self.responses = {**self._common.responses, **self.responses}
            self.response_fields = {**self._common.response_fields, **self.response_fields}
        return getattr(self, name)
