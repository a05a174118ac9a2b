"""The notices for receivers: the body that Prometheus' Alertmanager posts (version 4), signed; and the same as mail."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from email.message import EmailMessage
from typing import Any

import orjson

from mainspring.core.types import TraceParent
from mainspring.features.monitor.settings import EmailSettings, MonitorSettings
from mainspring.features.monitor.store.alerts import Alert, Notice

EMAIL = "email"
SIGNATURE, TIMESTAMP, DELIVERY = "x-mainspring-signature", "x-mainspring-timestamp", "x-mainspring-delivery"
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_NEVER = "0001-01-01T00:00:00Z"


def notices(settings: MonitorSettings, group: tuple[str, str], alerts: Sequence[Alert]) -> list[Notice]:
    """One notice for each receiver that wants to hear of some of these."""
    receivers: dict[str, tuple[Iterable[str], Iterable[str]]] = {
        f"webhook:{name}": (hook.tenants, hook.rules) for name, hook in settings.webhooks.items()
    }
    if settings.email.host:
        receivers[EMAIL] = (settings.email.tenants, settings.email.rules)
    found = []
    for receiver, (tenants, rules) in receivers.items():
        wanted = [alert for alert in alerts if not rules or alert.rule in tuple(rules)]
        if wanted and (not tenants or group[0] in tuple(tenants)):
            found.append(Notice(receiver, group[0], payload(receiver, group, wanted, settings.runbooks)))
    return found


def payload(receiver: str, group: tuple[str, str], alerts: Sequence[Alert], runbooks: str) -> dict[str, Any]:
    """The body: alerts of one application, firing and resolved ones."""
    firing = any(alert.state == "firing" for alert in alerts)
    labels = {"tenant": group[0], "application": group[1]}
    return {
        "version": "4",
        "groupKey": f"{group[0]}/{group[1]}",
        "status": "firing" if firing else "resolved",
        "receiver": receiver,
        "truncatedAlerts": 0,
        "groupLabels": labels,
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "",
        "alerts": [_told(alert, runbooks) for alert in alerts],
    }


def runbook(runbooks: str, rule: str) -> str:
    """Where it is written what to do about alerts of a rule."""
    return f"{runbooks}#{rule}"


def signed(body: bytes, secret: str, at: int) -> str:
    """The signature of a body that is sent at that time: HMAC-SHA256 of the time, a dot and the body."""
    made = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"sha256={made}"


def encoded(body: Mapping[str, Any]) -> bytes:
    """The body to send."""
    return orjson.dumps(body)


def mail(body: Mapping[str, Any], settings: EmailSettings, delivery: str) -> EmailMessage:
    """The same as a message; two of one delivery have the same id."""
    message = EmailMessage()
    told = body["alerts"]
    first = str(told[0]["annotations"]["summary"])
    more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    message["Subject"] = f"[{body['status']}] {first}{more}".replace("\n", " ")[:200]
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.to)
    message["Message-ID"] = f"<{delivery}@mainspring>"
    message["Date"] = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
    message["X-Mainspring-Delivery"] = delivery
    lines = []
    for each in told:
        labels, notes = each["labels"], each["annotations"]
        lines += [f"{each['status'].upper()}: {notes['summary']}", f"  severity {labels['severity']}"]
        lines += [f"  since {each['startsAt']}", f"  what to do: {notes['runbook_url']}"]
        if notes.get("traces"):
            lines.append(f"  traces: {notes['traces']}")
        lines.append("")
    message.set_content("\n".join(lines))
    return message


def trace_of(body: Mapping[str, Any], delivery: str) -> TraceParent | None:
    """The trace that a notice continues: the newest example of what raised its first alert that has one. The span is
    that of the delivery, the same however often it is tried."""
    traces = [trace for each in body["alerts"] for trace in each["annotations"]["traces"].split(", ")[-1:]]
    found = next((trace for trace in traces if _TRACE_ID.fullmatch(trace)), None)
    span = hashlib.sha256(delivery.encode()).hexdigest()[:16]
    return None if found is None else TraceParent(found, span)


def _examples(alert: Alert) -> list[str]:
    """Trace ids of the latest bad requests."""
    signals = sorted(alert.details.get("signals", ()), key=lambda signal: bool(signal.get("wrong")))
    return list(dict.fromkeys(trace for signal in signals for trace in signal.get("examples", ())))


def _told(alert: Alert, runbooks: str) -> dict[str, Any]:
    labels = {
        "alertname": alert.rule,
        "tenant": alert.tenant,
        "application": alert.application,
        "severity": alert.severity,
        **({"name": alert.name} if alert.name else {}),
    }
    return {
        "status": alert.state,
        "labels": labels,
        "annotations": {
            "summary": alert.summary,
            "runbook_url": runbook(runbooks, alert.rule),
            "traces": ", ".join(_examples(alert)),
        },
        "startsAt": _stamp(alert.raised_at),
        "endsAt": _NEVER if alert.cleared_at is None else _stamp(alert.cleared_at),
        "generatorURL": "",
        "fingerprint": alert.id,
    }


def _stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03}Z"
