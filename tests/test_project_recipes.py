"""The recipes in docker/: no engine runs here, so what can be held against the tree, against Ray and against sense is."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from results import journal
from results.events import DriverStopped, Reported
from results.storage import Storage
from tuner.cli.main import app

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
MANIFESTS = ("raycluster.yaml", "rayjob.yaml")
RAY = "2.60.0"


def read(name: str) -> Any:
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(DOCKER / name)))


def cluster(name: str) -> Any:
    spec = read(name)["spec"]
    return spec.get("rayClusterSpec", spec)


def groups(name: str) -> list[Any]:
    return [cluster(name)["headGroupSpec"], *cluster(name)["workerGroupSpecs"]]


def test_ray_up_file_is_valid_by_rays_own_schema() -> None:
    spec = find_spec("ray")
    assert spec is not None
    assert spec.origin is not None
    schema = json.loads((Path(spec.origin).parent / "autoscaler" / "ray-schema.json").read_text())
    content = read("ray-up.yaml")
    jsonschema.validate(content, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"max_wokers": 2}, schema)


@pytest.mark.parametrize("name", MANIFESTS)
def test_kuberay_clusters_ask_for_a_token_and_are_reached_from_within_alone(name: str) -> None:
    assert cluster(name)["authOptions"] == {"mode": "token"}
    assert cluster(name)["rayVersion"] == RAY
    assert cluster(name)["headGroupSpec"]["serviceType"] == "ClusterIP"
    for group in groups(name):
        pod = group["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["terminationGracePeriodSeconds"] >= 30
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert "hostPort" not in json.dumps(container)
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted <= {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize("name", MANIFESTS)
def test_kuberay_workers_ask_for_gpus_and_scale(name: str) -> None:
    assert cluster(name)["enableInTreeAutoscaling"] is True
    for group in cluster(name)["workerGroupSpecs"]:
        assert group["minReplicas"] < group["maxReplicas"]
        limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
        assert limits["nvidia.com/gpu"] == "1"


def test_compose_publishes_the_dashboard_to_loopback_alone() -> None:
    services = read("compose.yaml")["services"]
    assert {name: service["ports"] for name, service in services.items() if "ports" in service} == {"head": ["127.0.0.1:8265:8265"]}
    for name in ("head", "worker", "bucket"):
        assert services[name]["environment"]["RAY_AUTH_MODE"] == "token"
        assert services[name]["secrets"] == ["ray_token"]
        assert services[name]["cap_drop"] == ["ALL"]
        assert set(services[name].get("depends_on", {})) <= set(services)


def test_no_recipe_holds_a_secret() -> None:
    for file in DOCKER.iterdir():
        text = file.read_text()
        for name in ("RAY_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY", "MINIO_ROOT_PASSWORD", "AWS_ACCESS_KEY_ID"):
            for value in re.findall(rf"{name}\s*[:=]\s*(\S+)", text):
                assert value.startswith('"${S3_'), f"{file.name}: {name} is {value}"


def test_image_copies_what_is_there_and_installs_what_the_project_names() -> None:
    text = (DOCKER / "Dockerfile").read_text()
    copied = [part for line in re.findall(r"^COPY (.+)$", text, re.M) for part in line.split()[:-1]]
    assert all((ROOT / name).exists() for name in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(packages) <= set(copied)
    assert {project["project"]["readme"], *project["project"]["license-files"]} <= set(copied)
    extras = re.search(r"'\.\[(.+)\]'", text)
    assert extras is not None
    assert set(extras[1].split(",")) <= set(project["project"]["optional-dependencies"])
    assert re.search(r"^USER 1000$", text, re.M)
    assert text.index("\nUSER ") < text.index("\nHEALTHCHECK ") < text.index("\nENTRYPOINT ")
    allowed = {line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    assert allowed == set(copied)


def commands() -> list[tuple[str, list[str]]]:
    """Return every call of shortlist in the recipes, with the file it stands in; comments are what people type."""
    found = []
    for file in DOCKER.iterdir():
        text = re.sub(r"\\\n#?\s*", " ", file.read_text())
        for call in re.findall(r"(?:^|[ (&\n])shortlist ((?:submit|run|status|doctor|logs|stop|resume|--version)\b[^\n]*)", text):
            words = shlex.split(call.partition("  #")[0].partition(" &")[0].replace("[", "").replace("]", ""), comments=True)
            found.append((file.name, words))
    return found


def test_every_command_in_the_recipes_exists_with_its_options() -> None:
    group: Any = get_command(app)
    assert len(commands()) >= 7
    for file, words in commands():
        if words[0].startswith("-"):
            continue
        options = {name for parameter in group.commands[words[0]].params for name in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, f"{file}: shortlist {' '.join(words)}"


def test_ray_commands_in_the_recipes_have_options_that_ray_has() -> None:
    ray = Path(sys.executable).parent / "ray"
    known = subprocess.run([ray, "start", "--help"], capture_output=True, text=True, check=True).stdout
    text = "".join((DOCKER / name).read_text() for name in ("slurm.sh", "ray-up.yaml", "compose.yaml"))
    used = set(
        re.findall(r"--(?:head|block|address|port|dashboard-host|num-cpus|node-ip-address|temp-dir|include-dashboard|[a-z-]*stats)\b", text)
    )
    assert len(used) >= 8
    assert {option for option in used if option not in known} == set()


def test_slurm_script_is_bash() -> None:
    subprocess.run(["bash", "-n", str(DOCKER / "slurm.sh")], check=True)
    assert (DOCKER / "slurm.sh").stat().st_mode & 0o111


SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do shift; done
exec "$@"
"""
SCONTROL = """#!/bin/bash
case "$1 $2" in
  "show hostnames") tr , '\\n' <<< "$3" ;;
  "requeue $SLURM_JOB_ID") echo "$2" > "$HOME/requeued" ;;
  *) exit 1 ;;
esac
"""


@pytest.mark.ray
def test_slurm_script_runs_a_sweep_on_two_nodes_and_queues_again_when_its_time_is_up() -> None:
    """With stand-ins for Slurm's two commands; both nodes are this machine."""
    with tempfile.TemporaryDirectory(prefix="sl-", dir="/tmp") as folder:  # Ray's sockets need a short path
        home = Path(folder)
        binaries = home / "bin"
        binaries.mkdir()
        for name, content in (("srun", SRUN), ("scontrol", SCONTROL)):
            (binaries / name).write_text(content)
        (binaries / "shortlist").write_text(f'#!/bin/bash\nexec {sys.executable} -m tuner.cli "$@"\n')
        for program in binaries.iterdir():
            program.chmod(0o755)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = os.environ | {
            "PATH": f"{binaries}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": folder,
            "XDG_CONFIG_HOME": str(home / "config"),
            "SLURM_JOB_ID": "17",
            "SLURM_JOB_NODELIST": "first,second",
            "SLURM_CPUS_PER_TASK": "1",
            "RAY_PORT": str(port),
            "RAY_TMPDIR": str(home / "ray"),
        }
        sweep = home / "sweep.yaml"
        sweep.write_text((ROOT / "search_spaces" / "digits.yaml").read_text().replace("trials: 14", "trials: 200"))
        storage = Storage(home / "runs" / "digits")
        with (home / "log").open("w") as log:
            job = subprocess.Popen(
                ["bash", str(DOCKER / "slurm.sh"), str(sweep), str(home / "runs")], env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + 300
        try:
            while len({event.worker for event in journal.read(storage) if isinstance(event, Reported)}) < 2:
                assert job.poll() is None, (home / "log").read_text()
                assert time.monotonic() < deadline, (home / "log").read_text()
                time.sleep(0.5)
            token = home / "config" / "shortlist" / "slurm-17"
            assert token.stat().st_mode & 0o777 == 0o600
        finally:
            job.send_signal(signal.SIGTERM)  # to the batch script alone, as `--signal=B:TERM` does
            code = job.wait(120)
        said = (home / "log").read_text()
        assert code == 130, said
        assert (home / "requeued").read_text() == "17\n"
        assert not token.exists()
        assert [event.reason for event in journal.read(storage) if isinstance(event, DriverStopped)] == ["interrupted"]
