"""The policy of each application, by the name that callers use."""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import TypeAdapter

from mainspring.core.settings import GuardsSettings
from mainspring.core.variants import application_of
from mainspring.guards.policy.policies import GuardPolicy


class Policies:
    """The policy of each application, by the name that callers use; ``default`` applies to all others."""

    def __init__(self, settings: GuardsSettings) -> None:
        self.default = GuardPolicy.of(settings)
        self.named = {name: GuardPolicy.of(settings.policy(name), name) for name in settings.policies}
        self._of = {
            application: self.named[name]
            for name, each in settings.policies.items()
            for application in each.applications
        }

    def bring(self, application: str, policy: GuardPolicy) -> None:
        """Take the policy that an application needs for its work; one that the operator has set for it stands."""
        if application not in self._of:
            self.named[policy.name] = self._of[application] = policy

    def under(self, application: str, chosen: str = "") -> GuardPolicy:
        """The policy for requests under this name; the ``chosen`` one if there is one."""
        if chosen:
            return self.default if chosen == "default" else self.named[chosen]
        return self._of.get(application_of(application), self.default)

    @property
    def version(self) -> str:
        """Changes whenever one of them does."""
        if not self.named:
            return self.default.version
        text = repr(sorted((application, policy.version) for application, policy in self._of.items()))
        return f"{self.default.version}+{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def described(self) -> list[dict[str, Any]]:
        """Each policy, the default one first: its name, version and applications, and its actions."""
        found = []
        for policy in (self.default, *self.named.values()):
            applications = [name for name, each in self._of.items() if each is policy]
            guards = TypeAdapter(GuardPolicy).dump_python(policy, mode="json", exclude={"name", "dry_run"})
            rules = None if policy.rewriting is None else policy.rewriting.rules.version
            found.append(
                {
                    "name": policy.name,
                    "version": policy.version,
                    "applications": applications,
                    "dry_run": policy.dry_run,
                    "guards": guards,
                    "rules_version": rules,
                }
            )
        return found

    @property
    def calling(self) -> bool:
        """Whether any policy checks calls of tools."""
        return any(policy.calling for policy in (self.default, *self.named.values()))

    @property
    def spotlighting(self) -> bool:
        """Whether any of them puts messages between delimiters."""
        return any(policy.spotlighting for policy in (self.default, *self.named.values()))

    @property
    def detect(self) -> bool:
        """Whether any of them uses a detector."""
        every = (self.default, *self.named.values())
        return any(policy.detecting or policy.dropping or policy.answers.judging for policy in every)

    @property
    def conversing(self) -> bool:
        """Whether any policy checks several turns together."""
        return any(policy.untrusted.turns > 1 for policy in (self.default, *self.named.values()))

    def retries(self, application: str) -> int:
        """How often a request under this name may be retried."""
        answers = self.under(application).answers
        return answers.retries if "retry" in answers.actions else 0
