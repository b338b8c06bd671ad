"""From an image on this machine to the line of luigi.cfg that names it in a registry."""

import os
import re
import subprocess

import pytest

from tests.image.engine import ROOT, Engine


def push(engine: Engine, *words: str) -> subprocess.CompletedProcess[str]:
    """Run container/push.sh, as `make push` does."""
    return subprocess.run(
        [ROOT / "container" / "push.sh", *words],
        env={**os.environ, "DOCKER": engine.program},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_printed_names_the_image_by_its_content(engine, registry, toy_image, tagged):
    repository = f"{registry}/models/{tagged.partition(':')[0]}"
    pushed = push(engine, tagged, repository)
    assert pushed.returncode == 0, pushed.stderr
    assert re.fullmatch(rf"image = {repository}@sha256:[0-9a-f]{{64}}\n", pushed.stdout)
    name = pushed.stdout.strip().removeprefix("image = ")
    engine.do("image", "rm", f"{repository}:1-abc")
    engine.do("pull", "--quiet", name)
    assert engine.do("image", "inspect", "--format={{.Id}}", name) == toy_image
    engine.do("image", "rm", name)


@pytest.mark.parametrize("repository", ["", "europe-west1-docker.pkg.dev/p/models/churn:1"])
def test_a_repository_is_named_without_a_tag(engine, tagged, repository):
    pushed = push(engine, tagged, repository)
    assert pushed.returncode == 1
    assert "Name the repository, without a tag: make push IMAGE=" in pushed.stderr
    assert pushed.stdout == ""


def test_a_registry_that_refuses_prints_no_line_for_the_settings(engine, tagged):
    pushed = push(engine, tagged, "127.0.0.1:9/models/churn")
    engine.do("image", "rm", "127.0.0.1:9/models/churn:1-abc")
    assert pushed.returncode != 0
    assert "127.0.0.1:9" in pushed.stderr
    assert pushed.stdout == ""
