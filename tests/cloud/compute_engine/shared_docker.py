"""The program `docker` of a machine whose containers a real engine carries out, for all machines.

    python -S -E shared_docker.py DOCKER NAME ENVIRONMENT WORD ...

DOCKER is the real program. What a machine calls `job` is called NAME there, as each machine would
have an engine of its own; ENVIRONMENT (JSON) is given to containers that are created.
"""

import json
import os
import sys

LABEL = "compute-engine-for-tests"


def main(docker: str, name: str, environment: str, *words: str) -> None:
    verb, *rest = [name if word == "job" else word for word in words]
    if verb == "create":
        pairs = [f"{key}={value}" for key, value in json.loads(environment).items()]
        rest = [*(f"--env={pair}" for pair in pairs), f"--label={LABEL}", *rest]
    os.execvp(docker, [docker, verb, *rest])  # noqa: S606 - a command of ours, without a shell


if __name__ == "__main__":
    main(*sys.argv[1:])
