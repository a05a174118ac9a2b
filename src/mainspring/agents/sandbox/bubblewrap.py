"""Code in full CPython within bubblewrap: namespaces of its own, a read-only root with next to nothing in it, no
network, no privileges, limits on all that it takes."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from mainspring.agents.sandbox import seccomp
from mainspring.agents.sandbox.base import FOLDER, SandboxLimits
from mainspring.agents.sandbox.guest import BOOT
from mainspring.agents.sandbox.process import SPARE_S, Jail, ProcessSandbox, descriptor
from mainspring.core.errors import SettingsError

_NOBODY = 64999
"""The user of jailed code where the server is root: root has no limit on processes."""


class BubblewrapSandbox(ProcessSandbox):
    """``python`` is the interpreter (empty: one that the jail's user can run); ``packages`` are folders of packages for
    it."""

    name = "bubblewrap"

    def __init__(
        self, concurrent: int = 2, packages: Sequence[str] = (), python: str = "", spare_s: float = SPARE_S
    ) -> None:
        super().__init__(concurrent, packages, spare_s)
        self.python = python or interpreter()
        self._filter = seccomp.program()

    @asynccontextmanager
    async def jailed(self, limits: SandboxLimits) -> AsyncIterator[Jail]:
        command = self._command(limits)
        if not self._filter:
            yield Jail((*command, self.python, "-I", "-B", "-S", "-c", BOOT))
            return
        async with descriptor(self._filter) as number:
            filtered = ("--seccomp", str(number))
            yield Jail((*command, *filtered, self.python, "-I", "-B", "-S", "-c", BOOT), (number,))

    def _command(self, limits: SandboxLimits) -> list[str]:
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise SettingsError(
                "sandbox.kind is bubblewrap, and there is no program bwrap",
                remedy="Install the package bubblewrap, or set sandbox.kind to monty",
            )
        command = [*_unprivileged(), bwrap, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
        for name, value in ENVIRONMENT.items():
            command += ["--setenv", name, value]
        command += ["--ro-bind", "/usr", "/usr"]
        for each in ("/lib", "/lib64", "/bin", "/lib32"):
            if os.path.islink(each):
                command += ["--symlink", os.readlink(each).lstrip("/"), each]
            elif os.path.isdir(each):
                command += ["--ro-bind", each, each]
        prefix = str(Path(os.path.realpath(self.python)).parent.parent)
        for each in dict.fromkeys((prefix, *self._packages)):
            if not f"{each}/".startswith("/usr/"):
                command += ["--ro-bind", each, each]
        size = str(limits.disk)
        command += ["--proc", "/proc", "--dev", "/dev", "--size", size, "--tmpfs", "/tmp"]  # noqa: S108
        command += ["--size", size, "--tmpfs", FOLDER, "--chdir", FOLDER, "--remount-ro", "/"]
        command += ["--unshare-user", "--disable-userns", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"]
        return [*command, "--hostname", "box"]


ENVIRONMENT = {
    "PATH": "/usr/bin",
    "HOME": FOLDER,
    "LANG": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


def _unprivileged() -> list[str]:
    if os.geteuid() != 0:
        return []
    user = f"--reuid={_NOBODY}"
    return ["setpriv", user, f"--regid={_NOBODY}", "--clear-groups", "--no-new-privs", "--inh-caps=-all"]


def interpreter() -> str:
    """A Python that any user can run: this one, or the distribution's. Raises ``SettingsError``."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    here = f"{sys.base_prefix}/bin/{version}"
    for each in (here, f"/usr/bin/{version}", "/usr/bin/python3", "/usr/local/bin/python3"):
        if os.path.exists(each) and _open_to_all(os.path.realpath(each)):
            return os.path.realpath(each)
    raise SettingsError(
        "no Python is readable for the user of the sandbox",
        remedy="Name one in sandbox.python, or set sandbox.kind to monty",
    )


def _open_to_all(path: str) -> bool:
    if os.geteuid() != 0:
        return os.access(path, os.X_OK)
    parents = [path, *map(str, Path(path).parents)]
    return all(os.stat(each).st_mode & 0o001 for each in parents)
