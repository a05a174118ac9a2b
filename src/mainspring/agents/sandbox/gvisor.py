"""Code in full CPython within gVisor: a kernel of its own in user space stands before the machine's."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mainspring.agents.sandbox.base import FOLDER, SandboxLimits
from mainspring.agents.sandbox.bubblewrap import ENVIRONMENT, interpreter
from mainspring.agents.sandbox.guest import BOOT
from mainspring.agents.sandbox.process import Jail, ProcessSandbox
from mainspring.core.errors import SettingsError


class GvisorSandbox(ProcessSandbox):
    """``runsc`` is the program; each run is a container whose bundle is deleted with it."""

    name = "gvisor"

    def __init__(
        self, concurrent: int = 2, packages: Sequence[str] = (), python: str = "", runsc: str = "runsc"
    ) -> None:
        # A container that waits would hold a kernel of its own.
        super().__init__(concurrent, packages, spare_s=0.0)
        self.python = python or interpreter()
        self._runsc = runsc

    @asynccontextmanager
    async def jailed(self, limits: SandboxLimits) -> AsyncIterator[Jail]:
        runsc = shutil.which(self._runsc)
        if runsc is None:
            raise SettingsError(
                f"sandbox.kind is gvisor, and there is no program {self._runsc}",
                remedy="Install runsc (https://gvisor.dev), set sandbox.runsc, or set sandbox.kind to bubblewrap",
            )
        name = f"mainspring-{secrets.token_hex(8)}"
        with tempfile.TemporaryDirectory(prefix="mainspring-gvisor-") as folder:
            bundle = Path(folder) / "bundle"
            (bundle / "rootfs").mkdir(parents=True)
            (bundle / "config.json").write_text(json.dumps(self._config(limits)))
            base = [runsc, "--root", f"{folder}/state", "--network=none", "--ignore-cgroups", "--host-uds=none"]
            if os.geteuid() != 0:
                base.append("--rootless")
            try:
                yield Jail((*base, "run", "--bundle", str(bundle), name))
            finally:
                # A run that was killed has left its container.
                await asyncio.shield(asyncio.to_thread(_deleted, [*base, "delete", "--force", name]))

    def _config(self, limits: SandboxLimits) -> dict[str, Any]:
        """The container as the OCI's runtime specification has it."""
        read_only = ["ro", "nosuid", "nodev", "rbind"]
        binds = ["/usr", *(each for each in ("/lib", "/lib64", "/bin", "/lib32") if os.path.isdir(each))]
        prefix = str(Path(os.path.realpath(self.python)).parent.parent)
        binds += [each for each in dict.fromkeys((prefix, *self._packages)) if not each.startswith("/usr")]
        size = ["nosuid", "nodev", f"size={limits.disk}", "mode=1777"]
        mounts: list[dict[str, Any]] = [
            {"destination": each, "type": "bind", "source": os.path.realpath(each), "options": read_only}
            for each in binds
        ]
        mounts += [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "size=65536"]},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": size},  # noqa: S108
            {"destination": FOLDER, "type": "tmpfs", "source": "tmpfs", "options": size},
        ]
        capabilities: dict[str, list[str]] = {
            kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")
        }
        return {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": 65534, "gid": 65534},
                "args": [self.python, "-I", "-B", "-S", "-c", BOOT],
                "env": [f"{name}={value}" for name, value in ENVIRONMENT.items()],
                "cwd": FOLDER,
                "noNewPrivileges": True,
                "capabilities": capabilities,
                "terminal": False,
            },
            "root": {"path": "rootfs", "readonly": True},
            "hostname": "box",
            "mounts": mounts,
            "linux": {"namespaces": [{"type": each} for each in ("pid", "network", "ipc", "uts", "mount")]},
        }


def _deleted(command: list[str]) -> None:
    subprocess.run(command, capture_output=True, timeout=20, check=False)  # noqa: S603
