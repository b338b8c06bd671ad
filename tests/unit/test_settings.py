import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from luigi.configuration import get_config

from pipeline import settings
from pipeline.console import DEFAULTS
from pipeline.errors import SettingsError

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "configuration.md"
GOOD = """
[pipeline]
name = churn
horizon_days = 91
storage = var/storage
warehouse = var/warehouse.duckdb
"""
OURS = (
    settings.pipeline,
    settings.training,
    settings.application,
    settings.jobs,
    settings.notices,
)
ROW = re.compile(r"^\| `(\w+)` \| (.*?) \|", re.MULTILINE)

Configure = Callable[..., Path]


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Write a luigi.cfg, and have luigi read that and nothing else."""
    config = get_config()
    before = {name: dict(config.items(name, raw=True)) for name in config.sections()}
    (tmp_path / "prediction").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LUIGI_CONFIG_PATH", raising=False)

    def write(text: str, file: str = "luigi.cfg") -> Path:
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        if file != "luigi.cfg":
            monkeypatch.setenv("LUIGI_CONFIG_PATH", str(path))
        config.read(path)
        return path

    config.clear()
    settings.check.cache_clear()
    yield write
    config.clear()
    config.read_dict(before)
    settings.check.cache_clear()


def good(**changes: str) -> str:
    """The good configuration with keys of [pipeline] set otherwise; an empty value drops one."""
    lines = [line for line in GOOD.strip().splitlines() if line.partition(" ")[0] not in changes]
    return "\n".join([*lines, *(f"{key} = {text}" for key, text in changes.items() if text), ""])


def complaint() -> str:
    with pytest.raises(SettingsError) as failure:
        settings.check()
    assert "\n" not in str(failure.value)
    return str(failure.value)


def luigi_command(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """What a user types, for a task that only prints the settings."""
    module = (
        "import luigi\n"
        "from pipeline import console, settings\n"
        "console.prepare()\n"
        "class Show(luigi.Task):\n"
        "    def __init__(self, *args, **kwargs):\n"
        "        super().__init__(*args, **kwargs)\n"
        "        settings.check()\n"
        "        print(settings.pipeline().storage, settings.jobs().heartbeat_seconds)\n"
        "    def complete(self):\n"
        "        return True\n"
    )
    (folder / "show.py").write_text(module)
    environment = {name: value for name, value in os.environ.items() if "LUIGI" not in name}
    return subprocess.run(
        [sys.executable, "-m", "luigi", "--module", "show", "Show", *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_a_file_says_is_read(configure):
    configure(good(version="3", schedule="daily") + "[jobs]\nheartbeat_seconds = 0.5\n")
    settings.check()
    assert settings.pipeline().name == "churn"
    assert settings.pipeline().version == 3
    assert settings.pipeline().schedule == "daily"
    assert settings.pipeline().horizon_days == 91
    assert settings.jobs().heartbeat_seconds == 0.5
    assert settings.action("training").deadline_seconds == 3600
    assert settings.tables() == {}


def test_each_action_has_its_own_settings(configure):
    configure(good() + "[training]\ndeadline_seconds = 7\n[application]\nmax_dates_per_job = 2\n")
    assert settings.action("training").deadline_seconds == 7
    assert settings.action("application").deadline_seconds == 3600
    assert settings.action("application").max_dates_per_job == 2


def test_a_relative_path_is_relative_to_the_file_that_sets_it(configure, tmp_path):
    configure(good())
    configure(
        "[pipeline]\nwarehouse = w.duckdb\n[local_warehouse]\na.b = data/*.parquet\n",
        "elsewhere/my.cfg",
    )
    settings.check()
    assert settings.pipeline().storage == str(tmp_path / "var/storage")
    assert settings.pipeline().warehouse == str(tmp_path / "elsewhere/w.duckdb")
    assert settings.pipeline().prediction == tmp_path / "prediction"
    assert settings.pipeline().work == tmp_path / "var/work"
    assert settings.tables() == {"a.b": str(tmp_path / "elsewhere/data/*.parquet")}


def test_a_url_and_an_absolute_path_stay_as_they_are(configure):
    configure(good(storage="gs://bucket/prefix/", warehouse="/srv/w.duckdb"))
    assert settings.pipeline().storage == "gs://bucket/prefix"
    assert settings.pipeline().warehouse == "/srv/w.duckdb"


def test_a_tilde_is_the_users_home(configure, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    configure(good(storage="~/storage"))
    assert settings.pipeline().storage == "/home/someone/storage"


def test_a_percent_sign_is_doubled_and_variables_are_filled_in(configure, monkeypatch):
    monkeypatch.setenv("DISK", "/mnt/disk")
    configure(good(storage="${DISK}/100%% storage"))
    settings.check()
    assert settings.pipeline().storage == "/mnt/disk/100% storage"


def test_files_of_an_action_hold_the_date(configure, tmp_path):
    configure(
        good() + "[training]\ndata = data/{date}.csv\n[application]\ndata = gs://b/{date}/x\n"
    )
    settings.check()
    assert settings.action("training").data == str(tmp_path / "data/{date}.csv")
    assert settings.action("application").data == "gs://b/{date}/x"


def test_tables_of_one_two_and_three_parts_are_a_mapping(configure, tmp_path):
    configure(good() + "[local_warehouse]\nt = t.csv.gz\nMy.t = /x/t.parquet\nmy-p.s_1.t = t.csv\n")
    settings.check()
    assert settings.tables() == {
        "t": str(tmp_path / "t.csv.gz"),
        "My.t": "/x/t.parquet",
        "my-p.s_1.t": str(tmp_path / "t.csv"),
    }


@pytest.mark.parametrize(
    ("key", "text", "allowed"),
    [
        ("name", "Churn", "at most 20 lower-case letters, digits and dashes"),
        ("name", "1churn", "the first a letter"),
        ("name", "a-name-that-is-too-long", "at most 20"),
        ("version", "x", "a whole number, 1 or more"),
        ("version", "0", "a whole number, 1 or more"),
        ("version", "1.5", "a whole number, 1 or more"),
        ("schedule", "hourly", "daily, weekly or monthly"),
        ("horizon_days", "-1", "a whole number, 0 or more"),
        ("storage", "s3://bucket", "a folder or gs://bucket/prefix"),
        ("storage", "gs://", "a folder or gs://bucket/prefix"),
        ("storage", "gs://_x", "a folder or gs://bucket/prefix"),
        ("warehouse", "warehouse.db", "a file that ends in .duckdb, or bigquery://project/dataset"),
        ("warehouse", "bigquery://project", "bigquery://project/dataset"),
        ("compute", "kubernetes", "local, docker or google"),
        ("prediction", "gs://bucket/model", "a folder of this machine"),
    ],
)
def test_a_wrong_value_names_section_key_value_file_and_what_is_allowed(
    configure, key, text, allowed
):
    file = configure(good(**{key: text}))
    said = complaint()
    assert said.startswith(f"[pipeline] {key} = {text} in {file} is not allowed. It must be ")
    assert allowed in said


@pytest.mark.parametrize(
    ("section", "line", "allowed"),
    [
        ("training", "deadline_seconds = 0", "a whole number, 1 or more"),
        ("application", "max_dates_per_job = many", "a whole number, 1 or more"),
        ("training", "data = data/file.csv", "holds {date}"),
        ("training", "data = data/{day}.csv", "holds {date}"),
        ("training", "data = data/{date", "holds {date}"),
        ("jobs", "heartbeat_seconds = 0", "a number of seconds above 0"),
        ("jobs", "silence_limit_seconds = inf", "a number of seconds above 0"),
        ("jobs", "preemption_retries = -1", "a whole number, 0 or more"),
        ("training", "disk_size_gb = 5", "a whole number, 10 or more"),
        ("training", "machine_type = big", "a machine type of Compute Engine"),
        ("application", "provisioning_model = cheap", "spot or standard"),
        ("bigquery", "source_dataset = shop", "empty, or project.dataset"),
        ("bigquery", "maximum_bytes_billed = 0", "a whole number, 1 or more"),
        ("compute_engine", "zones = europe-west1", "zones of one region"),
        ("compute_engine", "service_account = me@example.com", "a service account"),
        ("notices", "email_to = you", "addresses with commas between them"),
        ("notices", "smtp_port = 65536", "a whole number, 1 up to 65535"),
        ("notices", "traceback_lines = -1", "a whole number, 0 or more"),
        ("local_warehouse", "t = t.xlsx", "ends in .csv, .csv.gz or .parquet"),
    ],
)
def test_every_section_of_ours_is_checked(configure, section, line, allowed):
    file = configure(f"{GOOD}[{section}]\n{line}\n")
    said = complaint()
    assert said.startswith(f"[{section}] {line} in {file} is not allowed.")
    assert allowed in said


@pytest.mark.parametrize("key", ["name", "horizon_days", "storage", "warehouse"])
def test_a_required_setting_that_is_missing_is_named(configure, key):
    file = configure(good(**{key: ""}))
    assert complaint().startswith(f"[pipeline] {key} in {file} is missing. It must be ")


def test_a_comment_behind_a_value_is_refused(configure):
    configure(good(storage="var/storage  ; here it lies"))
    assert "storage" in complaint()
    assert complaint().endswith("ends in a comment. Give the comment a line of its own.")


def test_a_misspelt_key_is_told_the_right_one(configure):
    file = configure(good(horizon_day="3"))
    assert complaint() == (
        f"[pipeline] in {file} has no setting horizon_day. Did you mean horizon_days?"
    )


def test_an_unknown_key_is_told_what_there_is(configure):
    configure(GOOD + "[jobs]\ncolour = red\n")
    assert "[jobs]" in complaint()
    assert complaint().endswith(
        "has no setting colour. It knows start_limit_seconds, silence_limit_seconds, "
        "heartbeat_seconds, preemption_retries, infrastructure_retries."
    )


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("Pipeline", "pipeline"),
        ("aplication", "application"),
        ("job", "jobs"),
        ("local-warehouse", "local_warehouse"),
        ("retcodes", "retcode"),
        ("workers", "worker"),
        ("schedulers", "scheduler"),
        ("resource", "resources"),
    ],
)
def test_a_misspelt_section_is_told_the_right_one(configure, wrong, right):
    file = configure(f"{GOOD}[{wrong}]\nx = 1\n")
    assert complaint() == f"{file} has a section [{wrong}]. Did you mean [{right}]?"


def test_sections_of_luigi_and_of_others_are_left_alone(configure):
    configure(
        f"{GOOD}[core]\nworkers = 2\n[retcode]\ntask_failed = 30\n"
        "[resources]\nvm = 1\n[zebra]\nx = 1\n"
    )
    settings.check()


def test_a_value_can_name_another_of_its_section(configure):
    configure(good(storage="/srv/%(name)s"))
    settings.check()
    assert settings.pipeline().storage == "/srv/churn"


@pytest.mark.parametrize(
    ("storage", "reason"),
    [
        ("100% storage", "'%' must be followed by '%' or '('"),
        ("${NO_SUCH_VARIABLE}/x", "a nonexisting environment variable NO_SUCH_VARIABLE"),
        ("%(nowhere)s/x", "interpolation key 'nowhere'"),
    ],
)
def test_a_value_that_can_not_be_filled_in_says_why(configure, storage, reason):
    file = configure(good(storage=storage))
    assert complaint().startswith(f"[pipeline] storage = {storage} in {file} can't be read: ")
    assert reason in complaint()


def test_a_table_whose_file_can_not_be_filled_in_says_why(configure):
    configure(GOOD + "[local_warehouse]\nt = ${NO_SUCH_VARIABLE}/t.csv\n")
    assert complaint().startswith("[local_warehouse] t = ${NO_SUCH_VARIABLE}/t.csv in ")


def test_a_table_that_has_no_name_for_a_table_is_refused(configure):
    configure(GOOD + "[local_warehouse]\na.b.c.d = t.csv\n")
    assert "names no table" in complaint()


def test_no_luigi_cfg_at_all_says_where_it_was_looked_for(configure, tmp_path):
    assert complaint().startswith(f"There is no luigi.cfg in {tmp_path}. Run from the project's")


def test_a_luigi_config_path_that_is_not_there_is_refused(configure, monkeypatch):
    configure(GOOD)
    monkeypatch.setenv("LUIGI_CONFIG_PATH", "/nowhere/my.cfg")
    assert complaint().startswith("LUIGI_CONFIG_PATH is /nowhere/my.cfg, and there is no such file")


@pytest.mark.parametrize(
    ("key", "text"), [("compute", "google"), ("warehouse", "bigquery://project/dataset")]
)
def test_what_lives_in_the_cloud_needs_storage_in_the_cloud(configure, key, text):
    configure(good(**{key: text}))
    assert complaint().startswith(f"[pipeline] {key} = {text} in ")
    assert "does not go with [pipeline] storage = var/storage in " in complaint()
    assert complaint().endswith("Set storage to gs://bucket/prefix.")


MACHINES = """
[compute_engine]
project = my-project
zones = europe-west1-b, europe-west1-c
subnetwork = regions/europe-west1/subnetworks/default
service_account = jobs@my-project.iam.gserviceaccount.com
image = europe-west1-docker.pkg.dev/my-project/models/churn@sha256:{digest}
""".format(digest="0" * 64)


def on_machines(old: str = "", new: str = "") -> str:
    assert old in MACHINES
    return good(compute="google", storage="gs://bucket/prefix") + MACHINES.replace(old, new)


def test_machines_and_bigquery_go_with_storage_in_the_cloud(configure):
    configure(
        good(compute="google", storage="gs://bucket", warehouse="bigquery://my-project/predictions")
        + MACHINES
    )
    settings.check()
    assert settings.machine_zones() == ("europe-west1-b", "europe-west1-c")


@pytest.mark.parametrize("key", ["project", "zones", "subnetwork", "service_account", "image"])
def test_what_machines_need_is_named_when_it_is_missing(configure, key):
    [line] = [line for line in MACHINES.splitlines() if line.startswith(f"{key} =")]
    configure(on_machines(line, f"{key} ="))
    assert complaint().startswith(f"[compute_engine] {key} = ")
    assert "is missing, and compute = google needs it. It must be " in complaint()


def test_zones_of_another_region_than_the_network_are_refused(configure):
    configure(on_machines("europe-west1-c", "us-east1-c"))
    assert complaint().endswith(": us-east1-c is not in europe-west1.")


def test_an_image_by_a_tag_is_refused(configure):
    configure(on_machines("@sha256:" + "0" * 64, ":latest"))
    assert complaint().endswith("because a tag can be moved.")


def test_containers_need_an_image(configure):
    configure(good(compute="docker"))
    assert complaint().startswith("[docker] image in ")
    assert "is missing, and compute = docker needs it." in complaint()
    assert "`make image`" in complaint()


@pytest.mark.parametrize("key", ["webhook", "smtp_password"])
@pytest.mark.parametrize(
    "secret", ["https://hooks.example/T0/hunter2", "hunter2 # x", "%hunter2", "env:hunter-2"]
)
def test_a_secret_in_a_file_is_refused_and_not_repeated(configure, key, secret):
    file = configure(f"{GOOD}[notices]\n{key} = {secret}\n")
    said = complaint()
    assert said.startswith(
        f"[notices] {key} = ... in {file} is not allowed. It must be env:NAME or "
    )
    assert "secret:projects/PROJECT/secrets/NAME." in said
    assert "hunter" not in said


@pytest.mark.parametrize(
    "place",
    ["env:WEBHOOK", "secret:projects/a-b/secrets/c_d", "secret:projects/1/secrets/c/versions/7"],
)
def test_a_secret_is_named_by_where_it_is(configure, place):
    configure(f"{GOOD}[notices]\nwebhook = {place}\n")
    settings.check()
    assert settings.notices().webhook == place


@pytest.mark.parametrize(
    ("lines", "missing", "because"),
    [
        ("email_to = a@b.example\nsmtp_host = localhost", "email_from", "email_to"),
        ("email_to = a@b.example\nemail_from = c@d.example", "smtp_host", "email_to"),
        ("smtp_user = me", "smtp_password", "smtp_user"),
        ("smtp_password = env:PASSWORD", "smtp_user", "smtp_password"),
    ],
)
def test_what_mail_needs_is_named_when_it_is_missing(configure, lines, missing, because):
    configure(f"{GOOD}[notices]\n{lines}\n")
    assert complaint().startswith(f"[notices] {missing} in ")
    assert f"is missing, and {because} needs it." in complaint()


def test_what_was_typed_is_known_after_luigi_has_forgotten_it(configure, tmp_path):
    configure(GOOD + "[notices]\ntraceback_lines = 3\n")
    settings.check()
    configure(GOOD + "[notices]\ntraceback_lines = 5\n")
    assert settings.checked(settings.notices).traceback_lines == 3


def test_a_missing_prediction_folder_is_named(configure, tmp_path):
    configure(good(prediction="model"))
    assert f"there is no folder {tmp_path / 'model'}. Set it to the folder" in complaint()


def test_a_correction_is_seen_once_the_check_is_asked_anew(configure):
    configure(good(version="x"))
    complaint()
    configure(good(version="2"))
    settings.check()
    assert settings.pipeline().version == 2


def test_the_command_line_wins_and_its_paths_are_relative_to_the_current_directory(tmp_path):
    (tmp_path / "prediction").mkdir()
    (tmp_path / "luigi.cfg").write_text(GOOD + "[core]\nlocal_scheduler = true\n")
    result = luigi_command(
        tmp_path, "--pipeline-storage", "other place", "--jobs-heartbeat-seconds", "0.25"
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0] == f"{tmp_path / 'other place'} 0.25"


def test_a_wrong_value_of_the_command_line_is_one_line(tmp_path):
    (tmp_path / "prediction").mkdir()
    (tmp_path / "luigi.cfg").write_text(GOOD + "[core]\nlocal_scheduler = true\n")
    result = luigi_command(tmp_path, "--pipeline-version", "x")
    assert result.returncode == 40
    assert result.stderr == (
        "error: --pipeline-version x is not allowed. It must be a whole number, 1 or more.\n"
    )


def documented() -> dict[str, dict[str, str]]:
    """Section -> key -> default, as the reference tells them."""
    chapters = re.split(r"^## \[(\w+)\]", DOCUMENT.read_text(), flags=re.MULTILINE)
    return {
        section: {key: default.strip("`") for key, default in ROW.findall(text.split("\n## ")[0])}
        for section, text in zip(chapters[1::2], chapters[2::2], strict=True)
    }


@pytest.mark.parametrize("section", OURS, ids=lambda section: section.__name__)
def test_the_reference_lists_every_setting_with_its_default(configure, section):
    configure(GOOD)
    rows = documented()[section.__name__]
    parameters = dict(section.get_params())
    assert sorted(rows) == sorted(parameters)
    for key, default in rows.items():
        if default == "required":
            assert key in GOOD
        elif section is settings.pipeline and key in ("prediction", "work"):
            assert getattr(section(), key) == Path.cwd() / default
        else:
            assert str(getattr(section(), key)) == default.replace("empty", "")


def test_the_reference_tells_the_exit_statuses_that_are_set():
    said = dict(re.findall(r"^\| (\d+) \| `(\w+)` \|", DOCUMENT.read_text(), re.MULTILINE))
    assert {key: status for status, key in said.items()} == DEFAULTS["retcode"]
