"""`gcloud`, `bq` and `make` as stand-ins: they write down each call and remember what was made.

    python gcloud.py FOLDER PROGRAM WORDS...

What exists lies in FOLDER/made, a line each; FOLDER/calls has all calls. To make what is there
fails, as does a change of what is not, and whatever FOLDER/broken names.
"""

import sys
from pathlib import Path

DIGEST = "sha256:" + 64 * "0"


def main(folder: Path, program: str, *words: str) -> int:
    with (folder / "calls").open("a") as calls:
        calls.write(" ".join((program, *words)) + "\n")
    broken = folder / "broken"
    if broken.exists() and broken.read_text() in " ".join((program, *words)):
        return fail("it is broken")
    state = State(folder / "made")
    if program == "bq":
        return answer_bq(state, words)
    if program == "make":
        return answer_make(words, folder)
    return answer_gcloud(state, words)


class State:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = path.read_text().splitlines() if path.exists() else []

    def add(self, line: str) -> None:
        self.lines.append(line)
        self.path.write_text("\n".join(self.lines) + "\n")

    def make(self, thing: str) -> int:
        if thing in self.lines:
            return fail(f"{thing} exists already")
        self.add(thing)
        return 0


def answer_gcloud(state: State, words: tuple[str, ...]) -> int:
    verbs = [number for number, word in enumerate(words) if word in VERBS]
    if not verbs:
        return fail(f"Invalid choice: {words}")
    at = verbs[0]
    group, verb, rest = words[:at], words[at], words[at + 1 :]
    thing = " ".join((*group, name_of(rest)))
    if verb == "create":
        return state.make(thing) or keep_metadata(state, rest)
    if verb in ("enable", "configure-docker"):
        return 0
    if thing.startswith("projects "):
        state.add(binding(thing, rest))
        return 0
    if thing not in state.lines:
        return fail(f"{thing} was not found")
    if verb == "add-iam-policy-binding":
        state.add(binding(thing, rest))
    elif verb == "describe" and "--format" in rest:
        sys.stdout.write("\n".join(line for line in state.lines if line.startswith("metadata ")))
    elif verb == "add-metadata":
        return keep_metadata(state, rest)
    return 0


def keep_metadata(state: State, rest: tuple[str, ...]) -> int:
    if "--metadata" in rest:
        state.add("metadata " + rest[rest.index("--metadata") + 1])
    return 0


VERBS = (
    "add-iam-policy-binding",
    "add-metadata",
    "configure-docker",
    "create",
    "describe",
    "enable",
)
VERBS += ("start", "stop")


def name_of(rest: tuple[str, ...]) -> str:
    """The first word that is no flag: an account by its whole address, a bucket by its URL."""
    name = rest[0]
    return name.partition("@")[0]


def binding(thing: str, rest: tuple[str, ...]) -> str:
    member, role = (rest[rest.index(flag) + 1] for flag in ("--member", "--role"))
    return f"grant {role} on {thing} to {member}"


def answer_bq(state: State, words: tuple[str, ...]) -> int:
    if words[0] == "show":
        return 0 if f"dataset {words[-1]}" in state.lines else fail("not found")
    if words[0] == "mk":
        return state.make(f"dataset {words[-1]}")
    state.add(words[-1])
    return 0


def answer_make(words: tuple[str, ...], folder: Path) -> int:
    target, image = words
    repository = image.removeprefix("IMAGE=")
    key = "scheduler" if target == "push-scheduler" else "image"
    sys.stdout.write(f"{key} = {repository}@{DIGEST}\n")
    return 0


def fail(reason: str) -> int:
    sys.stderr.write(f"ERROR: {reason}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
