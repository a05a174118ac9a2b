"""Pictures, tags and addresses in an answer that could carry data away when it is shown, found while it streams.

The program that shows the answer fetches its pictures: a picture on a host that is not allowed is a finding. An address
is a finding if it holds data: a long query or fragment, a long opaque part, credentials, a script. Addresses that the
request itself holds are known, and carry nothing new. A host alone says nothing about who is behind it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

KINDS = {"image": "[IMAGE]", "markup": "[MARKUP]", "link": "[LINK]"}
HELD_AT_MOST = 1024
"""Characters that may wait; a longer unclosed link is a finding."""
_QUERY = 24
_OPAQUE = re.compile(r"[A-Za-z0-9+/_=.~-]{40,}|(?:%[0-9A-Fa-f]{2}){6,}")
_LABEL = 30
_TAGS = "img|script|iframe|object|embed|link|form|svg|video|audio|source|picture|base|meta|input|style"
_URL = rf"[^\s<>()\[\]\"'`\\]{{1,{HELD_AT_MOST}}}"
_ENDS = " \t\r\n<>()[]\"'`\\"
_RELATIVE = re.compile(r"(?!(?:[a-z][a-z0-9+.-]*:)?//|[a-z]+script:)", re.IGNORECASE)
_ALT = r"\[[^\]\n]{0,200}\]"
_IMAGE = re.compile(rf"!{_ALT}(?:\(\s{{0,4}}<?(?P<target>[^)\n]{{0,{HELD_AT_MOST}}})\)?|{_ALT})")
_TAG = re.compile(rf"</?(?:{_TAGS})(?=[\s/>])[^>]{{0,{HELD_AT_MOST}}}>?", re.IGNORECASE)
_LINK = re.compile(rf"(?:\bhttps?://|\bftp://|(?<=\()\s?//){_URL}|\bjavascript:{_URL}", re.IGNORECASE)
_ANY = re.compile(rf"(?P<image>{_IMAGE.pattern})|(?P<tag>{_TAG.pattern})|(?P<link>{_LINK.pattern})", re.IGNORECASE)


def _begun(word: str) -> str:
    """A pattern of all beginnings of ``word``."""
    pattern = ""
    for letter in reversed(word):
        pattern = f"{re.escape(letter)}(?:{pattern})?" if pattern else re.escape(letter)
    return pattern


# A possible start of one at the end of the text.
_BEGUN = re.compile(
    rf"(?:!(?:\[[^\]\n]{{0,200}}(?:\](?:\([^)\n]{{0,{HELD_AT_MOST}}}|\[[^\]\n]{{0,200}})?)?)?"
    rf"|</?(?:[a-z]{{0,8}}|(?:{_TAGS})[\s/][^>]{{0,{HELD_AT_MOST}}})"
    rf"|\b(?:{_begun('https://')}|{_begun('http://')}|{_begun('ftp://')}|{_begun('javascript:')})"
    rf"|(?<=\()\s?/{{1,2}}"
    rf"|(?:\bhttps?://|\bftp://|(?<=\()\s?//|\bjavascript:){_URL})\Z",
    re.IGNORECASE,
)
_SOURCE = re.compile(r"https?://[^\s<>()\[\]\"'`\\]+", re.IGNORECASE)


class AllowedLinks:
    """Hosts that are allowed, with their subdomains, and addresses that were in the request."""

    __slots__ = ("_hosts", "_urls")

    def __init__(self, hosts: Iterable[str] = (), texts: Iterable[str] = ()) -> None:
        self._hosts = tuple(host.lower().strip(".") for host in hosts)
        self._urls = {url.rstrip(".,;:!?") for text in texts if "://" in text for url in _SOURCE.findall(text)}

    def allows(self, url: str) -> bool:
        """Whether ``url`` leads to an allowed host, or was in the request."""
        return url.rstrip(".,;:!?") in self._urls or self.hosts(_host(url))

    def hosts(self, host: str) -> bool:
        return any(host == each or host.endswith(f".{each}") for each in self._hosts)


def carries(url: str) -> bool:
    """Whether ``url`` has space for smuggled data."""
    if url.lower().startswith("javascript:"):
        return True
    try:
        parts = urlsplit(url)
    except ValueError:
        return True
    if "@" in parts.netloc or any(len(label) > _LABEL for label in _host(url).split(".")):
        return True
    data = unquote(parts.query) + unquote(parts.fragment)
    return len(data) >= _QUERY or any(_OPAQUE.fullmatch(part) for part in parts.path.split("/")) or len(url) >= 400


def _host(url: str) -> str:
    try:
        return (urlsplit(url if "://" in url else f"https:{url.strip()}").hostname or "").lower()
    except ValueError:
        return ""


class LinkRedactor:
    """Replaces possible exfiltration links in streamed text; the result does not depend on how the text is cut.
    ``counts`` is how many of each kind were replaced."""

    __slots__ = ("_behind", "_held", "_known", "_swallowing", "counts")

    def __init__(self, known: AllowedLinks) -> None:
        self.counts: Counter[str] = Counter()
        self._known = known
        self._behind = ""
        self._held = ""
        self._swallowing = ""

    def push(self, text: str) -> str:
        """Take the next piece; return the text that can be shown now."""
        if not self._held and not self._swallowing and _BEGUN.search(text) is None and _ANY.search(text) is None:
            self._behind = text[-1:] or self._behind
            return text
        self._held += text
        return self._release(final=False)

    def flush(self) -> str:
        """The text has ended: return the rest."""
        return self._release(final=True)

    def _release(self, *, final: bool) -> str:
        shown: list[str] = []
        if self._swallowing and not self._swallow():
            return ""
        text, done = self._behind + self._held, len(self._behind)
        begun = None if final else _BEGUN.search(text, done)
        limit = len(text) if begun is None else begun.start()
        for match in _ANY.finditer(text, done):
            if match.start() >= limit and not (match.end() - match.start() >= HELD_AT_MOST):
                break
            kind = self._kind(match)
            if kind is None:
                continue
            shown += [text[done : match.start()], KINDS[kind]]
            self.counts[kind] += 1
            done = match.end()
            if match.end() - match.start() >= HELD_AT_MOST:
                # Its end is still to come: nothing is shown until then.
                self._swallowing = {"image": ")\n", "markup": ">"}.get(kind, _ENDS)
                self._held, self._behind = text[done:], ""
                return "".join(shown) + (self._release(final=final) if self._held else "")
        limit = max(limit, done)
        shown.append(text[done:limit])
        self._behind, self._held = text[max(0, limit - 1) : limit], text[limit:]
        return "".join(shown)

    def _swallow(self) -> bool:
        """Drop the text of a finding that is too long to wait for; returns whether its end was reached."""
        for index, character in enumerate(self._held):
            if character in self._swallowing:
                self._held, self._swallowing = self._held[index:], ""
                return True
        self._held = ""
        return False

    def _kind(self, match: re.Match[str]) -> str | None:
        if match["image"]:
            if match["target"] is None:
                return "image"  # the target of the reference may come later
            target = match["target"].strip().split(" ")[0].rstrip(">")
            return None if _RELATIVE.match(target) or self._known.allows(target) else "image"
        if match["tag"]:
            return "markup"
        url = match["link"].strip()
        return "link" if carries(url) and not self._known.allows(url) else None
