"""Kills processes at random moments, runs the same command again, and looks at what is left.

    python benchmarks/crash.py --kills 50
    python benchmarks/crash.py --kills 10 --example

Every kill hits a project of its own, at a moment drawn from the whole life of its victim. In the
end the table must be that of an undisturbed run, and nothing may be left that this run does not
leave. By default the model package is that of tests/toy; `--example` takes the one that is shipped.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from pipeline import checksums, storage
from pipeline.layout import MARKER, Layout, base_name, claim_number, file_url
from pipeline.records import Claim, Marker

ROOT = Path(__file__).resolve().parents[1]
# The orchestrator is the luigi command, workers are what it forks; a container that is told to end
# gets SIGTERM, all others SIGKILL.
VICTIMS = ("orchestrator", "worker", "container", "model", "everything", "told to end")
JOB_VICTIMS = ("container", "model", "told to end")
MODELS = ("training", "application")
_PAUSE_SECONDS = 0.05
_PATIENCE_SECONDS = 180.0
_END_SECONDS = 5.0
_TOY_SETTINGS = """
[pipeline]
name = toy
schedule = monthly
horizon_days = 30
storage = var/storage
warehouse = var/warehouse.duckdb

[local_warehouse]
visits = visits.csv

[jobs]
heartbeat_seconds = 0.1
infrastructure_retries = 9

[core]
local_scheduler = true
autoload_range = true
"""


@dataclass(frozen=True)
class Work:
    """What is to be done: a command, and how the project for it is laid out."""

    name: str
    words: tuple[str, ...]
    lay_out: Callable[[Path], None]


def lay_out_toy(folder: Path) -> None:
    """tests/toy's package, which learns in no time, and visits of 40 customers."""
    shutil.copytree(ROOT / "tests" / "toy" / "prediction", folder / "prediction")
    (folder / "luigi.cfg").write_text(_TOY_SETTINGS)
    dice = random.Random(7)
    days = [f"{m}-{d:02}" for m in ("2023-12", "2024-01", "2024-02") for d in range(1, 29)]
    rows = [f"{n},{day}" for n in range(40) for day in sorted(dice.sample(days, 6))]
    (folder / "visits.csv").write_text("id,day\n" + "\n".join(rows) + "\n")


def lay_out_example(folder: Path) -> None:
    """The project as it is shipped."""
    for name in ("prediction", "data"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copyfile(ROOT / "luigi.cfg", folder / "luigi.cfg")


TOY = Work("toy", ("Backfill", "--start", "2024-02-29", "--stop", "2024-03-02"), lay_out_toy)
EXAMPLE = Work("churn", ("LoadToBigQuery", "--date", "1998-04-01"), lay_out_example)


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    command: str


@dataclass
class Project:
    """A folder in which a command is typed, again and again."""

    folder: Path
    work: Work

    @classmethod
    def make(cls, folder: Path, work: Work) -> "Project":
        (folder / "tmp").mkdir(parents=True)
        work.lay_out(folder)
        return cls(folder, work)

    @property
    def layout(self) -> Layout:
        return Layout(str(self.folder / "var" / "storage"), self.work.name, 1)

    def start(self, workers: int) -> subprocess.Popen[bytes]:
        words = ["-m", "luigi", "--module", "pipeline", *self.work.words]
        # As the settings have it; here it shows whose process it is.
        words += ["--pipeline-work", str(self.folder / "var" / "work")]
        with (self.folder / "output.txt").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, *words, "--workers", str(workers)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "TMPDIR": str(self.folder / "tmp")},
            )

    def containers(self) -> list[Process]:
        found = [each for each in self.processes() if "container.run" in each.command]
        # Between fork and exec the model's process looks like a container.
        pids = {each.pid for each in found}
        return [each for each in found if each.parent not in pids]

    def models(self) -> list[Process]:
        return [each for each in self.processes() if "container.leash" in each.command]

    def processes(self) -> list[Process]:
        """The project's commands, their workers and their jobs, as far as they live."""
        return [each for each in _processes() if str(self.folder) in each.command]

    def rows(self) -> list[tuple[object, ...]]:
        """The table, but for what says which job made it and when."""
        columns = "SELECT * EXCLUDE (run_id, scored_at) FROM predictions_v1 ORDER BY ALL"
        return self.query(columns)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        path = str(self.folder / "var" / "warehouse.duckdb")
        with duckdb.connect(path, read_only=True) as connection:
            return connection.sql(sql).fetchall()

    def markers(self) -> Iterator[tuple[str, Marker]]:
        root = self.layout.root
        store = storage.open(root)
        for entry in store.list(root):
            if base_name(entry.url) == MARKER:
                yield entry.url, Marker.parse(store.read(entry.url), entry.url)

    def claims(self) -> dict[str, list[str]]:
        """The jobs that claimed each run, in order, by the run's folder."""
        store = storage.open(self.layout.root)
        found: dict[str, dict[int, str]] = {}
        for entry in store.list(self.layout.root):
            if number := claim_number(entry.url):
                job = Claim.parse(store.read(entry.url), entry.url).job
                found.setdefault(entry.url.rpartition("/")[0], {})[number] = job
        return {run: [jobs[number] for number in sorted(jobs)] for run, jobs in found.items()}

    def family(self, run: str) -> str:
        return run.removeprefix(f"{self.layout.root}/").rpartition("/")[0]

    def held(self) -> list[tuple[str, str]]:
        """Runs of the model that are claimed and not done, each with the job that holds it."""
        store = storage.open(self.layout.root)
        newest = {
            run: jobs[-1] for run, jobs in self.claims().items() if self.family(run) in MODELS
        }
        return [(run, job) for run, job in newest.items() if not store.exists(f"{run}/{MARKER}")]


@dataclass(frozen=True)
class Truth:
    """What an undisturbed run leaves, and how long things take in it."""

    rows: list[tuple[object, ...]]
    seconds: float
    jobs: int
    container_seconds: float
    model_seconds: float


def observe(folder: Path, work: Work, workers: int = 2) -> Truth:
    """Run the command undisturbed."""
    project = Project.make(folder, work)
    begun = time.monotonic()
    process = project.start(workers)
    seen: Counter[str] = Counter()
    pids = set()
    last = begun
    while process.poll() is None:
        time.sleep(_PAUSE_SECONDS)
        now = time.monotonic()
        for kind, alive in (("run", project.containers()), ("leash", project.models())):
            seen[kind] += bool(alive) * (now - last)
            if kind == "run":
                pids |= {each.pid for each in alive}
        last = now
    if process.returncode:
        raise SystemExit(f"An undisturbed run fails:\n{(folder / 'output.txt').read_text()}")
    jobs = max(1, len(pids))
    return Truth(project.rows(), last - begun, jobs, seen["run"] / jobs, seen["leash"] / jobs)


class Killer:
    """Kills one kind of process, at moments that `dice` choose over the whole life of its kind.

    `blows` is how often it strikes in the life of one project: at one command after the other, or,
    where a command survives, at several jobs of one.
    """

    def __init__(self, victim: str, truth: Truth, dice: random.Random, blows: int = 1) -> None:
        self.victim = victim
        self.truth = truth
        self.dice = dice
        self.survived = victim in JOB_VICTIMS
        self.commands = 1 if self.survived else blows
        self.blows = blows if self.survived else 1
        self._met: set[int] = set()

    def strike(self, project: Project, command: subprocess.Popen[bytes]) -> bool:
        """Wait for the moment, and kill. False when the command was done before."""
        if self.victim in ("container", "told to end"):
            return self._strike_job(command, project.containers, self.truth.container_seconds)
        if self.victim == "model":
            return self._strike_job(command, project.models, self.truth.model_seconds)
        if not _sleep(command, self.dice.uniform(0, self.truth.seconds)):
            return False
        if self.victim == "worker":
            return self._strike_worker(command)
        if self.victim == "orchestrator":
            return _end(command.pid)
        doomed = [each.pid for each in project.processes()]
        self.dice.shuffle(doomed)
        return sum(_end(pid) for pid in doomed) > 0

    def _strike_job(
        self, command: subprocess.Popen[bytes], find: Callable[[], list[Process]], seconds: float
    ) -> bool:
        spared = self.dice.randrange(self.truth.jobs if self.blows == 1 else 2)
        how = signal.SIGTERM if self.victim == "told to end" else signal.SIGKILL
        while command.poll() is None:
            for each in find():
                if each.pid in self._met:
                    continue
                self._met.add(each.pid)
                if spared:
                    spared -= 1
                elif _sleep(command, self.dice.uniform(0, seconds)) and _end(each.pid, how):
                    return True
            time.sleep(_PAUSE_SECONDS)
        return False

    def _strike_worker(self, command: subprocess.Popen[bytes]) -> bool:
        while command.poll() is None:
            for each in _processes():
                if each.parent == command.pid:
                    return _end(each.pid)
            time.sleep(_PAUSE_SECONDS)
        return False


@dataclass
class Tally:
    """What became of the kills of one kind of victim.

    Of the runs of the model that were claimed and not done at a kill, `kept` were finished by the
    job that held them, `again` by another. `invisible` counts files that were never finished.
    """

    kills: int = 0
    kept: int = 0
    again: int = 0
    invisible: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = (self.kills, self.kept, self.again, self.invisible, len(self.problems))
        return "".join(f"{count:>11}" for count in counts)


def live(folder: Path, work: Work, killer: Killer, tally: Tally) -> None:
    """A project's life: commands that are struck, and a last one that must do all."""
    project = Project.make(folder, work)
    problems = []
    held: list[tuple[str, str]] = []
    struck = 0
    for _ in range(killer.commands):
        workers = 2 if killer.victim == "worker" else killer.dice.choice((1, 2))
        command = project.start(workers)
        for _ in range(killer.blows):
            if killer.strike(project, command):
                struck += 1
                held += project.held()
        status = command.wait(_PATIENCE_SECONDS)
        if killer.survived and status:
            problems.append(f"the command has status {status}, though only its job was killed")
    status = project.start(2).wait(_PATIENCE_SECONDS)
    if status:
        problems.append(f"the last command has status {status}")
    else:
        problems += inspect(project, killer, struck)
        makers = {url.rpartition("/")[0]: marker.job for url, marker in project.markers()}
        kept = sum(makers[run] == job for run, job in held)
        tally.kept += kept
        tally.again += len(held) - kept
    tally.kills += struck
    tally.invisible += len(list((folder / "var").rglob(".unfinished-*")))
    tally.problems += [f"{folder}: {problem}" for problem in problems]
    if not problems:
        shutil.rmtree(folder)


def inspect(project: Project, killer: Killer, struck: int) -> Iterator[str]:
    """What is wrong with a project in which a command said that everything is done."""
    yield from _check_table(project, killer.truth)
    yield from _check_storage(project)
    yield from _check_attempts(project, killer.victim, struck)
    yield from _check_machine(project)


def _check_table(project: Project, truth: Truth) -> Iterator[str]:
    rows = project.rows()
    if rows != truth.rows:
        yield f"the table has {len(rows)} rows which are not the {len(truth.rows)} that it should"
    makers = {
        (marker.date, marker.job) for _, marker in project.markers() if marker.family == MODELS[1]
    }
    loaded = project.query(
        "SELECT date, run_id, count(DISTINCT scored_at) FROM predictions_v1 GROUP BY ALL"
    )
    if sorted(loaded) != sorted((date, job, 1) for date, job in makers):
        yield f"the partitions are not of the jobs that made the predictions: {loaded}"


def _check_storage(project: Project) -> Iterator[str]:
    """Every object is whole, and every marker's files are those that it lists."""
    store = storage.open(project.layout.root)
    for entry in store.list(project.layout.root):
        if entry.url.endswith(".json"):
            try:
                json.loads(store.read(entry.url))
            except ValueError:
                yield f"{entry.url} is no whole JSON"
    for url, marker in project.markers():
        for each in marker.files:
            file = file_url(url.rpartition("/")[0], each.path)
            if not store.exists(file) or store.stat(file).checksum != each.checksum:
                yield f"{file} is not what {url} lists"
        for source in marker.made_from.values():
            if checksums.of_bytes(store.read(source.marker)) != source.checksum:
                yield f"{source.marker} is not what {url} was made from"


def _check_attempts(project: Project, victim: str, struck: int) -> Iterator[str]:
    """Nothing is done twice, unless the job that did it was killed."""
    store = storage.open(project.layout.root)
    for run, jobs in project.claims().items():
        is_models = project.family(run) in MODELS
        doomed = is_models == (victim in JOB_VICTIMS) or victim == "everything"
        if len(jobs) > 1 + struck * doomed:
            yield f"{run} was tried {len(jobs)} times"
        for job in jobs[:-1]:
            if not store.exists(project.layout.job(job).failure):
                yield f"{run} was taken from {job}, which has not failed"


def _check_machine(project: Project) -> Iterator[str]:
    end = time.monotonic() + _END_SECONDS
    while (alive := project.processes()) and time.monotonic() < end:
        time.sleep(_PAUSE_SECONDS)
    yield from (f"still there: {each.command}" for each in alive)
    left = [path for path in (project.folder / "var" / "work").rglob("*") if path.is_file()]
    left = [path for path in left if path.name not in {"lock", "console.txt"}]
    left += (project.folder / "var" / "work").glob("scratch/*")
    left += (project.folder / "tmp").iterdir()
    left += (project.folder / "var").glob("warehouse.duckdb.*[!k]")
    yield from (f"left behind: {path.relative_to(project.folder)}" for path in left)


def _processes() -> list[Process]:
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    )
    split = [line.split(None, 3) for line in listed.stdout.splitlines()]
    return [
        Process(int(words[0]), int(words[1]), words[3])
        for words in split
        if len(words) == 4 and not words[2].startswith("Z")
    ]


def _sleep(command: subprocess.Popen[bytes], seconds: float) -> bool:
    """False when the command ended in the meantime."""
    try:
        command.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _end(pid: int, how: int = signal.SIGKILL) -> bool:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return False
    return True


def main() -> int:
    from measuring import head  # beside this script; the tests, which import it, need no head

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--example", action="store_true", help="kill the example that is shipped")
    options = parser.parse_args()
    work = EXAMPLE if options.example else TOY
    home = Path(tempfile.mkdtemp(prefix="crash-"))
    truth = observe(home / "truth", work)
    head("Kill, run again, and compare with an undisturbed run")
    print(f"  seed     {options.seed}")
    print(f"  command  {' '.join(work.words)}: {truth.seconds:.1f} s undisturbed")
    print(f"{'victim':<14}{'kills':>11}{'kept':>11}{'again':>11}{'invisible':>11}{'wrong':>11}")
    tallies = {}
    begun = time.monotonic()
    for number, victim in enumerate(VICTIMS):
        tally = tallies[victim] = Tally()
        killer = Killer(victim, truth, random.Random(f"{options.seed} {victim}"))
        share = (options.kills + len(VICTIMS) - 1 - number) // len(VICTIMS)
        lives = 0
        while tally.kills < share and lives < 5 * share:
            live(home / f"{victim}-{lives}", work, killer, tally)
            lives += 1
        print(f"{victim:<14}{tally}", flush=True)
    problems = [problem for tally in tallies.values() for problem in tally.problems]
    total = sum(tally.kills for tally in tallies.values())
    print(f"{total} kills in {time.monotonic() - begun:.0f} s, {len(problems)} things wrong")
    for problem in problems:
        print(f"  {problem}")
    if not problems:
        shutil.rmtree(home)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
