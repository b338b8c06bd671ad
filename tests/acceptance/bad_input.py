"""Cases of bad input: what is spoilt in a good project, and the command that then fails."""

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import Project

TRAINING, APPLICATION = "prediction/configs/training.json", "prediction/configs/application.json"
FEATURES, LABELS = "prediction/queries/features.sql", "prediction/queries/labels.sql"


@dataclass
class Case:
    """`remedy` is what to do beyond what the message says.

    `about` is a part of its message alone, where a command provokes several.
    """

    title: str
    remedy: str
    command: str
    about: str = ""


@dataclass
class Scene:
    """Cases that one command provokes: `command`, or that of the only case.

    `spoil` makes a good project, and what `disk` asks for, into a bad one.
    """

    group: str
    cases: Sequence[Case]
    spoil: Callable[["Toy"], None] = lambda toy: None
    command: str = ""
    status: int = 30
    disk: dict[str, object] = field(default_factory=dict)


@dataclass
class Toy:
    """A project that is about to be spoilt."""

    project: Project
    folder: Path
    disk: Path | None = None

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.folder / path).read_text()
        assert old in text
        (self.folder / path).write_text(text.replace(old, new))

    def write(self, path: str, content: str | bytes) -> None:
        (self.folder / path).parent.mkdir(exist_ok=True)
        binary = content if isinstance(content, bytes) else content.encode()
        (self.folder / path).write_bytes(binary)

    def set(self, old: str, new: str) -> None:
        self.replace("luigi.cfg", old, new)

    def read(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()


def alone(
    group: str,
    title: str,
    command: str,
    spoil: Callable[[Toy], object],
    remedy: str,
    **more: object,
) -> Scene:
    """A scene of one case."""
    return Scene(group, [Case(title, remedy, command)], spoil, **more)  # type: ignore[arg-type]


# What each command is about: 2024-03-05 is applied with the model of 2024-03-01.
LUIGI = "luigi --module pipeline "
EXTRACT = LUIGI + "ExtractData --action training --date 2024-03-01"
TRAIN = LUIGI + "TrainModel --date 2024-03-01"
LOAD = LUIGI + "LoadToBigQuery --date 2024-03-05"
PREDICT = "python -m prediction.main "


def nothing(toy: Toy) -> None:
    """The project is good; the command is not."""


DATES = [
    alone(
        "Dates",
        "A date after today",
        LUIGI + "LoadToBigQuery --date 2999-01-01",
        nothing,
        "Days are those of UTC: near midnight your own may be another. Ask again later.",
        status=40,
    ),
    alone(
        "Dates",
        "A date that does not exist",
        LUIGI + "LoadToBigQuery --date 2024-02-30",
        nothing,
        "",
        status=40,
    ),
    alone(
        "Dates",
        "A range that is empty",
        LUIGI + "Backfill --start 2024-03-08 --stop 2024-03-08",
        nothing,
        "One day is `--start 2024-03-08 --stop 2024-03-09`.",
        status=40,
    ),
    alone(
        "Dates",
        "A range without an end",
        LUIGI + "Backfill --start 2024-03-08",
        nothing,
        "",
        status=40,
    ),
    alone(
        "Dates",
        "A range into the future",
        LUIGI + "Backfill --start 2024-03-08 --stop 2999-01-01",
        nothing,
        "`--stop` is the date after the last one, so that tomorrow is the latest.",
        status=40,
    ),
    alone(
        "Dates",
        "A date before training is possible",
        LUIGI + "LoadToBigQuery --date 2023-10-05",
        nothing,
        "The model of that date would be trained on 2023-10-01, with features as of `horizon_days`"
        " before. Begin with the first training date that has data so far back.",
    ),
    alone(
        "Dates",
        "No data before the date",
        LUIGI + "ExtractData --action application --date 2023-09-05",
        lambda toy: (
            toy.set("[jobs]", "[training]\ndata = in/training-{date}.csv\n[jobs]"),
            toy.write("in/training-2023-09-01.csv", table()),
        ),
        "The date lies before all data, or a file of a table lacks rows.",
    ),
    alone(
        "Dates",
        "A date at the beginning of the calendar",
        LUIGI + "LoadToBigQuery --date 0001-01-05",
        nothing,
        "A slip of the keyboard, most likely.",
    ),
]


def table(rows: Sequence[str] = (), *, head: str = "id,visits,spent,label", count: int = 60) -> str:
    """A good CSV file of training data, with `rows` in the place of its last ones."""
    good = [f"{n},{n % 7},{n * 1.5},{'true' if n % 7 > 3 else 'false'}" for n in range(count)]
    return "\n".join([head, *good[: count - len(rows)], *rows, ""])


def as_parquet(toy: Toy) -> bytes:
    """The table of visits as a Parquet file."""
    import duckdb

    path = toy.folder / "whole.parquet"
    duckdb.sql(f"COPY (FROM '{toy.folder}/visits.csv') TO '{path}'")
    return path.read_bytes()


def rename(toy: Toy, name: str, content: bytes) -> None:
    toy.set("visits = visits.csv", f"visits = {name}")
    toy.write(name, content)


def edit(path: str, old: str, new: str) -> Callable[[Toy], None]:
    return lambda toy: toy.replace(path, old, new)


def scramble(content: bytes) -> bytes:
    return content[:60] + b"x" * 300 + content[360:]


QUERIED = "Files that queries read"
QUERY_FILES = [
    alone(QUERIED, title, command, spoil, remedy)
    for title, command, spoil, remedy in [
        (
            "A table's file that is missing",
            EXTRACT,
            lambda toy: (toy.folder / "visits.csv").unlink(),
            "A relative path is relative to the folder of luigi.cfg.",
        ),
        (
            "A gzip file that was cut",
            EXTRACT,
            lambda toy: rename(toy, "visits.csv.gz", gzip.compress(toy.read("visits.csv"))[:-100]),
            "Copy the file again. `gzip -t FILE` tells whether it is whole.",
        ),
        (
            "A Parquet file that was cut",
            EXTRACT,
            lambda toy: rename(toy, "visits.parquet", as_parquet(toy)[:-100]),
            "Copy the file again.",
        ),
        (
            "A Parquet file that is damaged",
            EXTRACT,
            lambda toy: rename(toy, "visits.parquet", scramble(as_parquet(toy))),
            "Copy the file again.",
        ),
        (
            "A table's file that is empty",
            EXTRACT,
            lambda toy: toy.write("visits.csv", ""),
            "",
        ),
        (
            "A table's file with another delimiter",
            EXTRACT,
            lambda toy: toy.write("visits.csv", toy.read("visits.csv").replace(b",", b";")),
            "Write it with commas, as BigQuery reads it.",
        ),
        (
            "A table's file that is not UTF-8",
            EXTRACT,
            lambda toy: toy.write("visits.csv", toy.read("visits.csv") + b"\xfc,2024-01-01,1\n"),
            "`iconv -f latin1 -t utf8` makes one that is.",
        ),
        (
            "A column that the table does not have",
            EXTRACT,
            edit("visits.csv", "spent", "amount"),
            "The message lists what the table has.",
        ),
        (
            "A text among the numbers of a table",
            EXTRACT,
            lambda toy: toy.write("visits.csv", toy.read("visits.csv") + b"7,2024-01-01,much\n"),
            "The column became a STRING for the sake of that value. Correct it, or use SAFE_CAST.",
        ),
        (
            "A query that returns keys twice",
            EXTRACT,
            edit(FEATURES, "GROUP BY id", "GROUP BY id, day"),
            "One row per key: most often a GROUP BY or a join is wrong.",
        ),
        (
            "An infinite value in a table",
            TRAIN,
            lambda toy: toy.write("visits.csv", toy.read("visits.csv") + b"7,2024-01-01,inf\n"),
            "A division by zero, perhaps: NULLIF.",
        ),
        (
            "A query that returns null labels",
            TRAIN,
            edit(LABELS, "MAX(day) >= @start", "NULLIF(MAX(day) >= @start, FALSE)"),
            "COALESCE, or leave these rows out.",
        ),
        (
            "A query that returns one class of labels only",
            TRAIN,
            edit(LABELS, "MAX(day) >= @start", "MAX(day) < @stop"),
            "Most often the days of the label lie outside the data.",
        ),
    ]
]

WRITTEN = "What you write"
QUERIES_AND_CONFIGS = [
    alone(WRITTEN, title, command, spoil, remedy)
    for title, command, spoil, remedy in [
        (
            "A query with a syntax error",
            EXTRACT,
            edit(FEATURES, "GROUP BY", "GRUOP BY"),
            "",
        ),
        (
            "A query that is not cut at its date",
            EXTRACT,
            edit(FEATURES, "@date", "DATE '2024-03-01'"),
            "Without it the features would see what happened later.",
        ),
        (
            "A query of a table that is not named",
            EXTRACT,
            edit(FEATURES, "FROM visits", "FROM orders"),
            "",
        ),
        (
            "A query that is missing",
            EXTRACT,
            lambda toy: (toy.folder / LABELS).unlink(),
            "",
        ),
        (
            "A config that is not JSON",
            TRAIN,
            lambda toy: toy.write(TRAINING, "{key: 1}"),
            "Names and texts stand between double quotes; the last line has no comma.",
        ),
        (
            "A config without the key",
            TRAIN,
            edit(TRAINING, '"key": "id", ', ""),
            'Write `"key": "customer_id"`, for instance.',
        ),
        (
            "A config that lacks something",
            TRAIN,
            edit(TRAINING, ', "kind": "multiclass"', ""),
            "",
        ),
        (
            "A config of the application that is missing",
            LOAD,
            lambda toy: (toy.folder / APPLICATION).unlink(),
            "[Make the training again](troubleshooting.md#to-make-a-run-again), once it is there.",
        ),
    ]
]


def file_case(title: str, action: str, day: int, content: str | bytes | None, remedy: str) -> Case:
    """A case of a file that is there already. It has a date of its own."""
    date = f"2024-03-{day:02}"
    task = "TrainModel" if action == "training" else "ApplyModel"
    case = Case(title, remedy, f"{LUIGI}{task} --date {date}", f"{action} of {date} failed")
    case.content = content  # type: ignore[attr-defined]
    return case


BIG = 2**53 + 1
SMALLER = {"head": "id,visits,spent"}
FOR_TRAINING = [
    file_case(*each)
    for each in [
        ("An empty file", "training", 1, "", ""),
        ("A file without rows", "training", 2, table(count=0), ""),
        (
            "A file with another delimiter",
            "training",
            3,
            table().replace(",", ";"),
            "",
        ),
        ("A key that comes twice", "training", 4, table(["7,1,1,true"]), ""),
        (
            "A label that is missing",
            "training",
            5,
            table(head="id,visits,spent,churned"),
            'Rename it, or correct `"label"` in the config.',
        ),
        (
            "A text among numbers",
            "training",
            6,
            table(["59,much,1,true"]),
            "Training asks, rather than to take a column of numbers for one of texts.",
        ),
        (
            "An infinite value",
            "training",
            7,
            table(["59,inf,1,true"]),
            "Leave the field empty, or write a number.",
        ),
        ("A label that is null", "training", 8, table(["59,1,1,"]), ""),
        (
            "Labels of one class",
            "training",
            9,
            table().replace("false", "true"),
            "Most often the days of the label lie outside the data.",
        ),
        (
            "A row that is too short",
            "training",
            10,
            table(["59,1"]),
            "",
        ),
        (
            "A file that is not UTF-8",
            "training",
            11,
            table(["59,1,1,\xfc"]).encode("latin1"),
            "`iconv -f latin1 -t utf8` makes one that is.",
        ),
        (
            "A whole number that is too large",
            "training",
            12,
            table([f"59,{BIG},1,true"]),
            "It is an identifier, perhaps, and no number.",
        ),
        (
            "A column that comes twice",
            "training",
            13,
            table(head="id,visits,visits,label"),
            "",
        ),
    ]
]
APPLIED = [line.rpartition(",")[0] for line in table().splitlines()]


def applied(*rows: str, head: str = APPLIED[0]) -> str:
    """A good CSV file to apply the model to, with `rows` at its end."""
    return "\n".join([head, *APPLIED[1:], *rows, ""])


FOR_APPLICATION = [
    file_case(*each)
    for each in [
        (
            "A column that is missing when the model is applied",
            "application",
            2,
            applied(head="id,visits,amount"),
            "The data of both actions must have the same features.",
        ),
        (
            "A text among numbers when the model is applied",
            "application",
            3,
            applied("99,much,1"),
            "",
        ),
        (
            "A key that comes twice when the model is applied",
            "application",
            4,
            applied("7,1,1"),
            "",
        ),
        (
            "An infinite value when the model is applied",
            "application",
            5,
            applied("99,inf,1"),
            "Leave the field empty, or write a number.",
        ),
        (
            "A whole number that is too large when the model is applied",
            "application",
            6,
            applied(f"99,{BIG},1"),
            "It is an identifier, perhaps, and no number.",
        ),
        ("A key that is null", "application", 7, applied(",1,1"), ""),
        ("An empty file when the model is applied", "application", 8, "", ""),
    ]
]


def put_files(toy: Toy, cases: Sequence[Case], suffix: str = "csv") -> None:
    """Let `data` name files that are there already, one for each date."""
    sections = "".join(
        f"[{action}]\nmax_dates_per_job = 50\ndata = in/{action}-{{date}}.{suffix}\n"
        for action in ("training", "application")
    )
    toy.set("[jobs]", sections + "[jobs]")
    toy.write(f"in/training-2024-03-01.{suffix}", table())
    for case in cases:
        action, _, date, _ = case.about.split()
        toy.write(f"in/{action}-{date}.{suffix}", case.content)  # type: ignore[attr-defined]


def dates(cases: Sequence[Case]) -> str:
    return ",".join(case.about.split()[2] for case in cases)


def send_others(toy: Toy) -> None:
    """Each customer comes ten times as often as any at training; more than a little is refused."""
    put_files(toy, [])
    toy.replace(APPLICATION, "{", '{"drift_stop": 0.5')
    rows = "\n".join(f"{n},{70 + n % 7},{n * 1.5}" for n in range(60))
    toy.write("in/application-2024-03-05.csv", f"id,visits,spent\n{rows}\n")


CUT = gzip.compress(table(count=40_000).encode())[:-2000]
FILED = "Files that are there already"
FILES = [
    alone(
        FILED,
        "A file that is missing",
        TRAIN,
        lambda toy: (put_files(toy, []), toy.set("in/training-", "in/trainig-")),
        "Application looks for the date itself, training for the training date.",
    ),
    Scene(
        FILED,
        FOR_TRAINING,
        lambda toy: put_files(toy, FOR_TRAINING),
        f"{LUIGI}TrainModel --date {dates(FOR_TRAINING)}",
    ),
    Scene(
        FILED,
        FOR_APPLICATION,
        lambda toy: put_files(toy, FOR_APPLICATION),
        f"{LUIGI}ApplyModel --date {dates(FOR_APPLICATION)}",
    ),
    alone(
        FILED,
        "Data that are unlike those of the training",
        LOAD,
        send_others,
        "[drift.md](drift.md) tells what is compared. A limit is changed for the next training.",
    ),
    alone(
        FILED,
        "A compressed file that was cut",
        TRAIN,
        lambda toy: (put_files(toy, [], "csv.gz"), toy.write("in/training-2024-03-01.csv.gz", CUT)),
        "Copy the file again. `gzip -t FILE` tells whether it is whole.",
    ),
    alone(
        FILED,
        "A Parquet file that is none",
        TRAIN,
        lambda toy: put_files(toy, [], "parquet"),
        "Copy the file again, or give it the name of what it is.",
    ),
]

MODELS = [
    ("Absent", "A model class that is not there", ""),
    ("NoPredict", "A model class without predict", ""),
    ("OtherIndex", "Predictions with another index", "The index tells whose prediction it is."),
    ("FewerRows", "Predictions that are too few", "A row that cannot be predicted gets nulls."),
]
KEYS = {
    "unknown.json": ({"labels": "label"}, "A config with an unknown key", ""),
    "wrong.json": ({"holdout": 2}, "A config with a value that cannot be", ""),
}


def write_configs(toy: Toy) -> None:
    put_files(toy, [])
    paths = {"data_path": "in/training-2024-03-01.csv", "model_path": "model"}
    good = {**json.loads(toy.read(TRAINING)), **paths}
    for name, _, _ in MODELS:
        toy.write(f"{name}.json", json.dumps({**good, "model": f"prediction.model:{name}"}))
    for name, (keys, _, _) in KEYS.items():
        toy.write(name, json.dumps({**good, **keys}))


TRAIN_BY_HAND = PREDICT + "--action training --config "
BY_HAND = [
    *(
        Case(title, remedy, f"{TRAIN_BY_HAND}{name}.json", f"{name}.json: ")
        for name, title, remedy in MODELS
    ),
    *(
        Case(title, remedy, TRAIN_BY_HAND + name, f"{name}: ")
        for name, (_, title, remedy) in KEYS.items()
    ),
]
MODEL_SCENES = [
    Scene(
        "The model without the pipeline",
        BY_HAND,
        write_configs,
        PREDICT + "--action training" + "".join(f" --config {case.about[:-2]}" for case in BY_HAND),
        status=1,
    )
]


def heavy(toy: Toy) -> None:
    """A model of a megabyte."""
    toy.replace(TRAINING, "{", '{"parameters": {"weight_bytes": 1000000}, ')


def many_visits(toy: Toy) -> None:
    rows = "\n".join(f"{n},2023-{10 + n % 3}-01,{n * 7919 % 10_007}" for n in range(20_000))
    toy.write("visits.csv", f"id,day,spent\n{rows}\n")


def move(key: str, old: str, new: str) -> Callable[[Toy], None]:
    return lambda toy: toy.set(f"{key} = {old}", f"{key} = {toy.disk}/{new}")


def fill_output(toy: Toy) -> None:
    put_files(toy, [])
    rows = "\n".join(f"{n},1,1" for n in range(100_000))
    toy.write("in/many.csv", f"id,visits,spent\n{rows}\n")
    trained = {"data_path": "in/training-2024-03-01.csv", "model_path": "model"}
    toy.write("train.json", json.dumps({**json.loads(toy.read(TRAINING)), **trained}))
    applied = {"data_path": "in/many.csv", "output_path": f"{toy.disk}/predictions.csv"}
    toy.write("apply.json", json.dumps({"model_path": "model", **applied}))
    assert toy.project.predict("--action", "training", "--config", "train.json").status == 0


DISK = "Disks"
DISKS = [
    alone(
        DISK,
        "Storage that is full when data are extracted",
        EXTRACT,
        lambda toy: (move("storage", "var/storage", "storage")(toy), many_visits(toy)),
        "`var/storage` grows with every date, and nothing in it is deleted by itself.",
        disk={"size_kb": 64},
    ),
    alone(
        DISK,
        "Storage that is full when a model is kept",
        TRAIN,
        lambda toy: (move("storage", "var/storage", "storage")(toy), heavy(toy)),
        "",
        disk={"size_kb": 400},
    ),
    alone(
        DISK,
        "Storage that is not writable",
        TRAIN,
        move("storage", "var/storage", "storage"),
        "The disk was mounted for reading only, most often by the system after an error.",
        disk={"read_only": True},
    ),
    alone(
        DISK,
        "A full disk where the model works",
        TRAIN,
        lambda toy: (toy.set("name = toy", f"name = toy\nwork = {toy.disk}/work"), heavy(toy)),
        "`work` under `[pipeline]` may lie on a larger disk.",
        disk={"size_kb": 400},
    ),
    alone(
        DISK,
        "A full disk where the warehouse lies",
        LOAD,
        move("warehouse", "var/warehouse.duckdb", "warehouse.duckdb"),
        "`var/warehouse.duckdb` grows with every date.",
        disk={"size_kb": 16},
    ),
    Scene(
        DISK,
        [
            Case(
                "A full disk where predictions are written by hand",
                "Free some space, or correct `output_path`.",
                PREDICT + "--action application --config apply.json",
            )
        ],
        fill_output,
        status=1,
        disk={"size_kb": 200},
    ),
]

SCENES = [*DATES, *QUERY_FILES, *FILES, *QUERIES_AND_CONFIGS, *MODEL_SCENES, *DISKS]
