"""The compose files: their schema, that what they mount exists, and that nothing in them is a secret or floats."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from otelkit.provision.distribution.manifest import VERSION
from otelkit.provision.prometheus.scrape import FLAGS

_FOLDER = Path(__file__).parents[2] / "collector"
_FILES = ("compose.yaml", "compose.analytics.yaml")


def content(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((_FOLDER / name).read_text("utf-8"))
    return loaded


def services() -> list[tuple[str, str, dict[str, Any]]]:
    return [(file, name, service) for file in _FILES for name, service in content(file)["services"].items()]


@pytest.mark.parametrize("name", _FILES)
def test_it_is_a_compose_file(name: str) -> None:
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*checker, str(_FOLDER / name)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_image_is_pinned_and_the_tested_programs_are_of_the_tested_versions() -> None:
    images = {name: service["image"] for _, name, service in services() if "image" in service}
    assert all(re.fullmatch(r"[\w./-]+:v?\d+(?:\.\d+)+", image) for image in images.values()), images
    assert images["collector"].endswith(f":{VERSION}")
    programs = Path(__file__).parents[1] / "stack" / "programs"
    loki = re.search(r"grafana/loki/v3 v(\S+)", (programs / "loki" / "go.mod").read_text())
    prometheus = re.search(
        r"prometheus/prometheus v0\.(\d)(\d\d)\.(\d+)", (programs / "prometheus" / "go.mod").read_text()
    )
    assert loki is not None
    assert prometheus is not None
    assert images["loki"].endswith(f":{loki[1]}")
    assert images["prometheus"].endswith(f":v{prometheus[1]}.{int(prometheus[2])}.{prometheus[3]}")


def test_what_is_mounted_is_there() -> None:
    for file, name, service in services():
        kept = content(file)["volumes"]
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (_FOLDER / source).exists() if source.startswith(".") else source in kept, (name, volume)
        for word in service.get("command", []):
            for path in re.findall(r"=(/etc/\S+)", word):
                mounted = {Path(entry.split(":")[1]): entry.split(":")[0] for entry in service["volumes"]}
                target = next(target for target in mounted if Path(path).is_relative_to(target))
                assert (_FOLDER / mounted[target] / Path(path).relative_to(target)).is_file(), (name, path)


def test_nothing_is_mounted_below_a_folder_that_is_mounted_read_only() -> None:
    for _, name, service in services():
        volumes = [volume.split(":") for volume in service.get("volumes", [])]
        targets = [Path(volume[1]) for volume in volumes]
        targets += [Path("/run/secrets", secret.get("target", "")) for secret in service.get("secrets", [])]
        fixed = [Path(volume[1]) for volume in volumes if "ro" in volume[2:]]
        assert [target for target in targets if set(target.parents) & set(fixed)] == [], f"{name} cannot start"


def test_prometheus_finds_its_token_beside_the_configuration_as_the_tests_do() -> None:
    service = content("compose.yaml")["services"]["prometheus"]
    scraping = yaml.safe_load((_FOLDER / "prometheus" / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    files = [job["authorization"]["credentials_file"] for job in scraping if "authorization" in job]
    assert [f"/etc/prometheus/{file}" for file in files] == [secret["target"] for secret in service["secrets"]]


def test_the_built_image_has_what_it_copies() -> None:
    dockerfile = (_FOLDER / "otelkit.Dockerfile").read_text("utf-8")
    for line in re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE):
        assert all((_FOLDER.parent / source).exists() for source in line.split()), line


def test_the_built_image_has_a_pinned_python_and_only_packages_of_known_hashes() -> None:
    dockerfile = (_FOLDER / "otelkit.Dockerfile").read_text("utf-8")
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert all(re.fullmatch(r"python:\d+\.\d+\.\d+-slim", base) for base in bases), bases
    assert len(set(bases)) == 1, "packages are chosen by the Python that runs them"
    for words in re.findall(r"pip (\w+ .+)$", dockerfile, re.MULTILINE):
        assert "--require-hashes" in words if words.startswith("download") else "--no-index" in words, words


def test_every_variable_is_required_and_explained() -> None:
    explained = set(re.findall(r"^(\w+)=$", (_FOLDER / "env.example").read_text("utf-8"), re.MULTILINE))
    used = set()
    for file in _FILES:
        text = (_FOLDER / file).read_text("utf-8")
        found = re.findall(r"(?<!\$)\$\{(\w+)(:\?[^}]+)?}", text)
        assert all(message for _, message in found), "a variable without its message is empty when it is forgotten"
        used |= {name for name, _ in found} | set(re.findall(r"environment: (OTELKIT_\w+)$", text, re.MULTILINE))
    assert used == explained


def test_no_password_is_written_down_and_no_port_is_open_to_other_machines() -> None:
    for _, name, service in services():
        for key, value in service.get("environment", {}).items():
            if re.search(r"TOKEN|PASSWORD|SALT|SECRET", key):
                assert str(value).startswith("${"), (name, key)
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def test_every_service_says_whether_it_is_well_but_for_the_two_whose_images_hold_one_program() -> None:
    assert {name for _, name, service in services() if "healthcheck" not in service} == {"collector", "tempo"}


def test_prometheus_is_started_as_the_tests_start_it() -> None:
    assert set(FLAGS) <= set(content("compose.yaml")["services"]["prometheus"]["command"])
