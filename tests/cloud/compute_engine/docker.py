"""The program `docker` of a machine whose engine is `containers`: what the boot script types.

    DOCKER_ENGINE=http://127.0.0.1:PORT/PATH python -S -E docker.py VERB [OPTION ...] [WORD ...]

Strict: an option that the real program has and that is not known here is refused.
"""

import http.client
import json
import os
import sys
import urllib.parse
from pathlib import Path
from typing import Any

# The options that take a value; what each is good for is the engine's business.
_VALUES = {
    "create": {"name", "network", "tmpfs", "volume", "memory", "cap-drop", "security-opt", "env"},
    "inspect": {"f"},
    "logs": {"tail"},
    "stop": {"t"},
}
_FLAGS = {"create": {"read-only"}, "pull": {"q"}, "start": {"attach"}}
_FORMATS = {
    "{{.State.OOMKilled}}": ["OOMKilled"],
    "{{.State.Status}} {{.State.ExitCode}}": ["Status", "ExitCode"],
}
_POLL_SECONDS = 0.02


Options = dict[str, list[str]]


def main(verb: str, *words: str) -> int:
    options, rest = _parse(verb, list(words))
    if verb == "start":
        return _start(options, *rest)
    verbs = {"pull": _pull, "create": _create, "wait": _wait, "stop": _stop}
    verbs |= {"logs": _logs, "inspect": _inspect}
    sys.stdout.write(f"{verbs[verb](options, *rest)}\n")
    return 0


def _pull(options: Options, image: str) -> str:
    return _ask("pull", image=image)


def _create(options: Options, image: str, *arguments: str) -> str:
    (work,) = [each.partition(":")[0] for each in options["volume"] if each.endswith(":/work")]
    environment = dict(each.split("=", 1) for each in options.get("env", []))
    given = {"arguments": arguments, "environment": environment, "work": work}
    return _ask("create", name=options["name"][0], image=image, **given)


def _start(options: Options, name: str) -> int:
    printed = Path(_ask("start", name=name))
    status = None if "attach" in options else 0
    with printed.open("rb") as file:
        while status is None:
            status = _ask("wait", name=name, seconds=_POLL_SECONDS)
            sys.stdout.buffer.write(file.read())
            sys.stdout.flush()
    return status


def _wait(options: Options, name: str) -> int:
    return _ask("wait", name=name)


def _stop(options: Options, name: str) -> str:
    _ask("stop", name=name, seconds=float(options.get("t", ["10"])[0]))
    return name


def _logs(options: Options, name: str) -> str:
    lines = _ask("logs", name=name).splitlines()
    return "\n".join(lines[-int(options.get("tail", [len(lines) + 1])[0]) :])


def _inspect(options: Options, name: str) -> str:
    state = _ask("inspect", name=name)
    values = [str(state[each]) for each in _FORMATS[options["f"][0]]]
    return " ".join(values).replace("True", "true").replace("False", "false")


def _parse(verb: str, words: list[str]) -> tuple[Options, list[str]]:
    options: Options = {}
    while words and words[0].startswith("-"):
        name, _, value = words.pop(0).lstrip("-").partition("=")
        if name in _VALUES.get(verb, ()):
            options.setdefault(name, []).append(value or words.pop(0))
        elif name in _FLAGS.get(verb, ()):
            options[name] = []
        else:
            sys.exit(f"docker {verb}: the option {name} is not known here")
    return options, words


def _ask(verb: str, **given: object) -> Any:
    address = urllib.parse.urlsplit(os.environ["DOCKER_ENGINE"])
    connection = http.client.HTTPConnection(address.hostname, address.port)
    connection.request("POST", f"{address.path}/{verb}", json.dumps(given))
    reply = connection.getresponse()
    told = json.loads(reply.read())
    if reply.status != 200:
        sys.exit(told["error"]["message"])
    return told["said"]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
