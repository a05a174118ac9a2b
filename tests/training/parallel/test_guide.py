"""The pods of the guide's job find each other, and are as many as their processes wait for."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tests.conftest import ROOT


def test_the_job_of_the_guide_is_whole() -> None:
    page = (ROOT / "docs" / "guides" / "distributed.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    service, job = list[dict[str, Any]](yaml.safe_load_all(block))
    name, spec = job["metadata"]["name"], job["spec"]
    pod = spec["template"]["spec"]
    assert (service["kind"], job["kind"]) == ("Service", "Job")
    # Pods have names of their own only behind a service without an address.
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"job-name": name}
    assert pod["subdomain"] == service["metadata"]["name"]
    (container,) = pod["containers"]
    command = container["command"]
    assert f"--rdzv-endpoint={name}-0.{pod['subdomain']}:29400" in command
    assert f"--nnodes={spec['completions']}" in command
    assert spec["parallelism"] == spec["completions"]
    assert command[-3:-1] == ["-m", "mainspring.training.child"]
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert {each["name"] for each in pod["volumes"]} == set(mounts)
    assert command[-1].startswith(f"{mounts['runs']}/")
    # The image of the server has no torch.
    built = re.search(r"--build-arg EXTRAS=(\S+) -t (\S+) ", page)
    assert built is not None
    assert ("train" in built[1].split(","), built[2]) == (True, container["image"])
    user = re.search(r"USER (\d+)", (ROOT / "Containerfile").read_text(encoding="utf-8"))
    assert user is not None
    assert pod["securityContext"]["fsGroup"] == int(user[1])
