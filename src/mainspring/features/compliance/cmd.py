"""The commands for data of a person, retention and the audit log."""

from mainspring.command import KEEP, Command
from mainspring.features.compliance import audit_cmd, retention_cmd, subject_cmd

COMMANDS = (
    Command("audit", audit_cmd.app, KEEP),
    Command("retention", retention_cmd.retention, KEEP),
    Command("subjects", subject_cmd.app, KEEP),
)
