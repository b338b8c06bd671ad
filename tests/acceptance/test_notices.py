"""Being told: one message for a command that left something undone, and none for any other."""

import json
import signal
from collections.abc import Iterator

import pytest

from tests.conftest import Project
from tests.listeners import (
    MailServer,
    Webhook,
    free_port,
    listen_as_mail_server,
    listen_as_secret_manager,
    listen_as_webhook,
)
from tests.waiting import wait_until

RANGE = ("Backfill", "--start", "2024-02-27", "--stop", "2024-03-07")
BAD_DAYS = {f"2024-03-0{day}": {"fail": "a bad day"} for day in (2, 3, 5)}


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with listen_as_webhook() as hook:
        yield hook


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with listen_as_mail_server() as server:
        yield server


@pytest.fixture
def told_project(project: Project, webhook: Webhook) -> Project:
    """A project whose failures are told to `webhook`."""
    project.set(notices="webhook = env:HOOK")
    project.environment = {"HOOK": webhook.address}
    return project


def notices(project: Project) -> list[str]:
    """The files that keep what was told."""
    folder = project.root / "told"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.json"))


def notes(project: Project) -> list[str]:
    return [str(path) for path in (project.folder / "var" / "work" / "notices").glob("*")]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_failing_backfill_is_told_in_one_message_grouped_by_cause(told_project, webhook, workers):
    told_project.mischief("application", **BAD_DAYS, **{"2024-03-04": {"fail": "a strike"}})
    ended = told_project.luigi(*RANGE, "--workers", workers)
    assert ended.status == 30
    [text] = webhook.texts
    title, *rest = text.splitlines()
    assert title.startswith("toy v1: ApplyModel failed, for 2 causes (told by ")
    days = rest.index("ApplyModel 2024-03-02 to 2024-03-03, 2024-03-05: a bad day")
    strike = rest.index("ApplyModel 2024-03-04: a strike")
    for line in (rest[days + 1], rest[strike + 1]):
        assert line.startswith(f"    Log: {told_project.root}/jobs/toy-application-2024")
        assert line.endswith("/log.txt")
    assert "Traceback" not in text
    assert not notes(told_project)


def test_a_cause_is_told_once_a_day(told_project, webhook):
    told_project.mischief("training", **{"2024-03-01": {"fail": "a bad day"}})
    command = ("LoadToBigQuery", "--date", "2024-03-01")
    assert [told_project.luigi(*command).status for _ in range(2)] == [30, 30]
    assert len(webhook.texts) == 1
    told_project.mischief("training", **{"2024-03-01": {"fail": "a strike"}})
    told_project.luigi(*command)
    assert len(webhook.texts) == 2
    assert "TrainModel 2024-03-01: a strike" in webhook.texts[1]
    assert "a bad day" not in webhook.texts[1]


def test_that_it_is_over_is_told_once(told_project, webhook):
    told_project.replace_setting("schedule = monthly", "schedule = daily")
    told_project.mischief("training", **BAD_DAYS)
    assert told_project.luigi(*RANGE).status == 30
    told_project.mischief("training")
    assert [told_project.luigi(*RANGE).status for _ in range(2)] == [0, 0]
    _, text = webhook.texts
    assert text.splitlines()[0].startswith("toy v1: TrainModel (3 dates) recovered (told by ")
    assert text.endswith("\n\nRecovered: TrainModel 2024-03-02 to 2024-03-03, 2024-03-05")


def test_a_failure_and_a_recovery_go_into_one_message(told_project, webhook):
    command = ("Backfill", "--start", "2024-03-01", "--stop", "2024-04-02")
    told_project.mischief("training", **{"2024-03-01": {"fail": "a bad day"}})
    told_project.luigi("TrainModel", "--date", "2024-03-01")
    told_project.mischief("training", **{"2024-04-01": {"fail": "a bad day"}})
    told_project.luigi(*command)
    _, text = webhook.texts
    assert "TrainModel 2024-04-01: a bad day" in text
    assert "Recovered: TrainModel 2024-03-01" in text


def test_nothing_is_told_when_nothing_fails(told_project, webhook):
    assert told_project.luigi("LoadToBigQuery", "--date", "2024-03-01").status == 0
    assert not webhook.bodies
    assert not notices(told_project)
    assert not notes(told_project)


def test_nobody_who_did_not_ask_is_told(project):
    project.mischief("training", **{"2024-03-01": {"fail": "a bad day"}})
    assert project.luigi("TrainModel", "--date", "2024-03-01").status == 30
    assert not notices(project)
    assert not notes(project)


def test_what_was_typed_counts(project, webhook):
    project.environment = {"HOOK": webhook.address}
    project.mischief("training", **{"2024-03-01": {"fail": "a bad day"}})
    typed = ("--notices-webhook", "env:HOOK", "--pipeline-work", "elsewhere", "--workers", "2")
    project.luigi("ExtractData", "--action", "training", "--date", "2024-03-01", *typed)
    project.luigi("TrainModel", "--date", "2024-03-01", *typed)
    assert len(webhook.texts) == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_lone_task_that_needs_no_other_is_told(told_project, webhook, workers):
    (told_project.folder / "visits.csv").write_text("id,day\n")
    ended = told_project.luigi(
        "ExtractData", "--action", "training", "--date", "2024-03-01", "--workers", workers
    )
    assert ended.status == 30
    [text] = webhook.texts
    assert "ExtractData training 2024-03-01: " in text


def test_a_worker_that_is_killed_is_told(told_project, webhook, tmp_path):
    (told_project.folder / "wrecked.py").write_text(
        "import os, luigi, pipeline\n"
        "class Wrecked(pipeline.TrainModel):\n"
        "    def run(self):\n"
        "        os.kill(os.getpid(), 9)\n"
    )
    command = told_project.command("Wrecked", "--date", "2024-03-01", "--workers", "2")
    command[command.index("pipeline")] = "wrecked"
    told_project.environment = {**told_project.environment, "PYTHONPATH": str(told_project.folder)}
    ended = told_project.end(told_project._start(command))
    assert ended.status == 30
    [text] = webhook.texts
    assert "Wrecked 2024-03-01: died unexpectedly with exit code -9" in text


def test_a_task_that_takes_too_long_is_told(told_project, webhook):
    told_project.mischief("training", **{"2024-03-01": {"sleep": 30}})
    ended = told_project.luigi("TrainModel", "--date", "2024-03-01", "--worker-timeout", "4")
    assert ended.status == 30
    [text] = webhook.texts
    assert "TrainModel 2024-03-01: timed out after 4 seconds and was terminated." in text


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupted_command_tells_nothing(told_project, webhook, tmp_path, workers):
    told_project.mischief("training", **{"2024-03-01": {"wait_for": str(tmp_path / "go")}})
    process = told_project.start("TrainModel", "--date", "2024-03-01", "--workers", workers)
    wait_until((tmp_path / "go.here").exists)
    process.send_signal(signal.SIGTERM)
    assert told_project.end(process).status == 128 + signal.SIGTERM
    assert not webhook.bodies
    assert not notices(told_project)


def test_an_interrupt_while_it_is_told_leaves_that_to_the_next_command(told_project, webhook):
    told_project.mischief("training", **{"2024-03-01": {"fail": "a bad day"}})
    webhook.pause_seconds = 8
    process = told_project.start("TrainModel", "--date", "2024-03-01")
    wait_until(lambda: webhook.bodies)
    process.send_signal(signal.SIGTERM)
    ended = told_project.end(process)
    assert ended.status == 30
    assert "Exception ignored" not in ended.output
    assert not notices(told_project)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_can_not_be_planned_is_told(told_project, webhook, workers):
    told_project.root.parent.mkdir(parents=True)
    told_project.root.symlink_to(told_project.root)
    ended = told_project.luigi(*RANGE, "--workers", workers)
    assert ended.status == 35
    [text] = webhook.texts
    assert "Backfill 2024-02-27 to 2024-03-06: Can't list " in text
    assert "WARNING: What was told before is not known: Can't list " in ended.output


def test_the_traceback_is_told_only_where_that_is_switched_on(told_project, webhook):
    told_project.mischief("training", **{"2024-03-01": {"fail": "a bad day"}})
    told_project.luigi("TrainModel", "--date", "2024-03-01", "--notices-traceback-lines", "2")
    [text] = webhook.texts
    assert text.count("ValueError: a bad day") == 1
    assert "    raise ValueError(value)" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("trouble", ["answers 500", "hangs", "refuses", "is not set"])
def test_a_webhook_in_trouble_changes_nothing_and_is_warned_of(told_project, webhook, trouble):
    told_project.mischief("training", **{"2024-03-01": {"fail": "a bad day"}})
    webhook.status = 500 if trouble == "answers 500" else 200
    webhook.pause_seconds = 60 if trouble == "hangs" else 0
    if trouble == "refuses":
        address = f"http://127.0.0.1:{free_port()}/services/T0/hunter2"
        told_project.environment = {"HOOK": address}
    elif trouble == "is not set":
        told_project.environment = {}
    words = {
        "answers 500": "WARNING: The webhook of env:HOOK answers with status 500.",
        "hangs": "WARNING: The webhook does not answer within 10 seconds.",
        "refuses": "WARNING: The webhook can't be reached.",
        "is not set": "WARNING: The environment variable HOOK that [notices] in luigi.cfg names",
    }
    ended = told_project.luigi("TrainModel", "--date", "2024-03-01", "--log-level", "DEBUG")
    assert ended.status == 30
    assert words[trouble] in ended.output
    assert "Exception ignored" not in ended.output
    assert "hunter2" not in ended.output
    # Nobody was told: the next command tries again.
    assert not notices(told_project)


def test_who_missed_a_message_gets_it_from_the_next_command(told_project, webhook):
    told_project.mischief("training", **{"2024-03-01": {"fail": "a bad day"}})
    webhook.status = 500
    told_project.luigi("TrainModel", "--date", "2024-03-01")
    webhook.status = 200
    told_project.luigi("TrainModel", "--date", "2024-03-01")
    told_project.luigi("TrainModel", "--date", "2024-03-01")
    assert len(webhook.texts) == 2


def test_a_secret_in_the_file_is_refused_in_one_line(project):
    project.set(notices="webhook = https://hooks.slack.com/services/T0/B0/hunter2")
    ended = project.luigi("TrainModel", "--date", "2024-03-01")
    assert ended.status == 40
    [line] = ended.output.splitlines()
    assert line.startswith("error: [notices] webhook = ... in ")
    assert "hunter2" not in line


def test_an_address_that_is_not_encrypted_is_refused(told_project):
    told_project.mischief("training", **{"2024-03-01": {"fail": "a bad day"}})
    told_project.environment = {"HOOK": "http://hooks.example/services/hunter2"}
    ended = told_project.luigi("TrainModel", "--date", "2024-03-01")
    assert ended.status == 30
    assert "WARNING: The webhook of env:HOOK is no https:// address." in ended.output
    assert "hunter2" not in ended.output


def test_the_address_of_the_webhook_may_lie_in_secret_manager(project, webhook):
    project.mischief("training", **{"2024-03-01": {"fail": "a bad day"}})
    project.set(notices="webhook = secret:projects/shop/secrets/hook")
    with listen_as_secret_manager(hook=f"{webhook.address}\n") as host:
        project.environment = {"SECRET_MANAGER_EMULATOR_HOST": host}
        assert project.luigi("TrainModel", "--date", "2024-03-01").status == 30
    assert len(webhook.texts) == 1


def test_a_secret_that_is_not_there_is_warned_of(project):
    project.mischief("training", **{"2024-03-01": {"fail": "a bad day"}})
    project.set(notices="webhook = secret:projects/shop/secrets/hook")
    with listen_as_secret_manager() as host:
        project.environment = {"SECRET_MANAGER_EMULATOR_HOST": host}
        ended = project.luigi("TrainModel", "--date", "2024-03-01")
    assert ended.status == 30
    assert "WARNING: Can't read projects/shop/secrets/hook in Secret Manager: " in ended.output


def test_an_e_mail_says_in_its_subject_what_failed(project, mail):
    project.mischief("training", **{"2024-03-01": {"fail": "a bad day"}})
    mail.users["pipeline"] = "correct horse"
    project.environment = {"PASSWORD": "correct horse"}
    project.set(
        notices="email_to = me@shop.example, you@shop.example\nemail_from = churn@shop.example\n"
        f"smtp_host = 127.0.0.1\nsmtp_port = {mail.port}\n"
        "smtp_user = pipeline\nsmtp_password = env:PASSWORD"
    )
    ended = project.luigi("TrainModel", "--date", "2024-03-01")
    assert ended.status == 30
    [letter] = mail.mails
    assert letter["Subject"] == "toy v1: TrainModel 2024-03-01 failed"
    assert letter["To"] == "me@shop.example, you@shop.example"
    assert letter["From"] == "churn@shop.example"
    assert "TrainModel 2024-03-01: a bad day" in letter.get_content()


def test_a_mail_server_that_refuses_is_warned_of_and_the_webhook_is_told_all_the_same(
    told_project, webhook, mail
):
    told_project.mischief("training", **{"2024-03-01": {"fail": "a bad day"}})
    told_project.environment = {**told_project.environment, "PASSWORD": "hunter2"}
    told_project.replace_setting(
        "webhook = env:HOOK",
        "webhook = env:HOOK\nemail_to = me@shop.example\nemail_from = a@shop.example\n"
        f"smtp_host = 127.0.0.1\nsmtp_port = {mail.port}\n"
        "smtp_user = pipeline\nsmtp_password = env:PASSWORD",
    )
    ended = told_project.luigi("TrainModel", "--date", "2024-03-01")
    assert ended.status == 30
    assert f"WARNING: The mail server 127.0.0.1:{mail.port} refuses user and password" in (
        ended.output
    )
    assert "hunter2" not in ended.output
    assert len(webhook.texts) == 1


def test_what_is_kept_says_what_was_told(told_project, webhook):
    told_project.mischief("training", **{"2024-03-01": {"fail": "a bad day"}})
    told_project.luigi("TrainModel", "--date", "2024-03-01")
    [name] = notices(told_project)
    assert name.startswith("training/date=2024-03-01/")
    kept = json.loads((told_project.root / "told" / name).read_text())
    assert kept == {"format": 1, "task": "TrainModel", "reason": "a bad day"}


def test_in_the_cloud_the_log_is_a_link_and_what_was_told_is_kept_there(cloud_project, webhook):
    project = cloud_project.project
    project.set(notices="webhook = env:HOOK")
    project.environment = {**project.environment, "HOOK": webhook.address}
    project.mischief("training", **{"2024-03-01": {"fail": "a bad day"}})
    command = ("TrainModel", "--date", "2024-03-01")
    assert [project.luigi(*command).status for _ in range(2)] == [30, 30]
    [text] = webhook.texts
    bucket = cloud_project.bucket.removeprefix("gs://")
    assert f"    Log: https://storage.cloud.google.com/{bucket}/models/toy/v1/jobs/toy-" in text


def test_to_be_told_costs_a_command_that_has_nothing_to_do_one_listing(cloud_project, webhook):
    project = cloud_project.project
    command = ("TrainModel", "--date", "2024-03-01")
    assert project.luigi(*command).status == 0
    requests = cloud_project.cloud.requests
    requests.clear()
    project.luigi(*command)
    before = len(requests)
    project.set(notices="webhook = env:HOOK")
    project.environment = {**project.environment, "HOOK": webhook.address}
    requests.clear()
    assert project.luigi(*command).status == 0
    assert len(requests) == before + 1
    assert not webhook.bodies


def test_a_heartbeat_is_called_when_one_is_set(project, webhook):
    assert project.pipeline("heartbeat").status == 0
    assert webhook.calls == 0
    project.set(notices="heartbeat = env:BEAT")
    project.environment = {"BEAT": webhook.address}
    ended = project.pipeline("heartbeat")
    assert (ended.status, ended.output) == (0, "")
    assert webhook.calls == 1


@pytest.mark.parametrize("trouble", ["500", "away"])
def test_a_heartbeat_that_fails_says_so_without_its_address(project, webhook, trouble):
    project.set(notices="heartbeat = env:BEAT")
    away = f"http://127.0.0.1:{free_port()}/hunter2"
    project.environment = {"BEAT": away if trouble == "away" else webhook.address}
    webhook.status = 500
    ended = project.pipeline("heartbeat")
    assert ended.status == 1
    assert ended.output.startswith("error: The heartbeat of env:BEAT ")
    assert "hunter2" not in ended.output
