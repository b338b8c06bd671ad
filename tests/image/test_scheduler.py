"""The scheduler's image: what is in it, and how its processes live and end."""

import pytest

from tests.image.engine import ROOT
from tests.image.scheduler import USER, Scheduler, every_minute, never, scheduler_of
from tests.waiting import wait_until

CRONTAB = (ROOT / "scheduler" / "crontab").read_text()
TODAYS_MODEL = "2024-03-01"

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def idle(engine, project, scheduler_image):
    """A scheduler whose crontab begins nothing."""
    with scheduler_of(engine, project, never(CRONTAB)) as scheduler:
        scheduler.start(scheduler_image)
        wait_until(scheduler.answers)
        yield scheduler


def test_cron_begins_what_the_crontab_says_and_all_is_loaded(engine, project, scheduler_image):
    with scheduler_of(engine, project, every_minute(CRONTAB)) as scheduler:
        scheduler.start(scheduler_image)
        wait_until(lambda: "backfill: ended with exit status 0" in scheduler.printed, seconds=180)
        for name in ("train", "evaluate"):
            ended = f"{name}: ended with exit status 0"
            wait_until(lambda ended=ended: ended in scheduler.printed, seconds=60)
        scheduler.stop()
        printed = scheduler.printed
    dates = project.table("SELECT date, count(*) FROM predictions GROUP BY 1")
    assert len(dates) in (7, 8)  # at midnight UTC a day begins
    assert {count for _, count in dates} == {40}
    # All lines began in the same minute, and did each thing once.
    assert {claim.name for claim in project.root.rglob("claim-*.json")} == {"claim-1.json"}
    assert len(list(project.root.glob("training/date=*/_SUCCESS"))) <= 2
    assert "begins: luigi --module pipeline Backfill --last 7 --fallback --workers 4" in printed
    log = (scheduler.state / "log" / "backfill.log").read_text()
    assert "ended with exit status 0" in log


def test_only_cron_and_who_starts_it_are_root(idle: Scheduler):
    script = 'for p in /proc/[0-9]*; do echo "$(stat -c %u $p) $(tr "\\0" " " <$p/cmdline)"; done'
    lines = idle.ask("bash", "-c", f"{script} 2>/dev/null").splitlines()
    root = {line.split()[1] for line in lines if line.startswith("0 ")}
    assert root == {"bash", "cat", "cron"}
    assert any(line.startswith(f"{USER} ") and "luigid" in line for line in lines)


def test_luigid_is_reached_from_this_machine_only(idle: Scheduler):
    listening = idle.ask("cat", "/proc/net/tcp", "/proc/net/tcp6")
    addresses = [line.split()[1] for line in listening.splitlines() if "0A" in line.split()[3:4]]
    ours = [each for each in addresses if each.endswith(f":{idle.port:04X}")]
    assert ours == [f"0100007F:{idle.port:04X}"]


def test_nothing_but_the_state_can_be_written(idle: Scheduler):
    tried = (
        "touch /var/lib/scheduler/here && echo written; touch /srv/here || touch /etc/cron.d/here"
    )
    said = idle.ask("bash", "-c", f"({tried}) 2>&1 || true")
    assert said.splitlines()[0] == "written"
    assert "Read-only file system" in said


def test_luigid_that_dies_is_started_again(idle: Scheduler):
    first = idle.pid("luigid")
    idle.ask("bash", "-c", f"kill -9 {first}")
    wait_until(lambda: idle.pid("luigid") not in (None, first))
    wait_until(idle.answers)
    assert "luigid has ended, and is started again" in idle.printed


def test_the_container_ends_when_cron_does(idle: Scheduler):
    kill = f"kill -9 {idle.pid('cron -f')}"
    idle.engine.try_to("exec", "--user=0", idle.name, "bash", "-c", kill)
    assert idle.engine.do("wait", idle.name) == "1"
    assert "cron has ended" in idle.printed


def test_at_its_end_luigid_writes_down_what_it_knows_and_reads_it_again(idle: Scheduler):
    environment = "source /run/scheduler/environment"
    train = f"{environment}; luigi --module pipeline TrainModel --date {TODAYS_MODEL}"
    idle.ask("bash", "-c", train)
    idle.stop()
    assert idle.engine.do("inspect", "--format={{.State.ExitCode}}", idle.name) == "0"
    assert (idle.state / "luigid.pickle").stat().st_size > 0
    idle.engine.do("start", idle.name)
    wait_until(idle.answers)
    assert "No prior state file" not in idle.printed.rpartition("shutting down")[2]


def test_at_its_end_commands_say_which_jobs_go_on_and_it_is_kept(idle: Scheduler):
    project = idle.project
    project.mischief("training", **{TODAYS_MODEL: {"sleep": 60}})
    train = f"/srv/scheduler/run.sh train luigi --module pipeline TrainModel --date {TODAYS_MODEL}"
    idle.engine.do("exec", "--detach", f"--user={USER}", idle.name, "bash", "-c", train)
    wait_until(lambda: list(project.root.glob("jobs/toy-training*/started.json")), seconds=60)
    idle.stop()
    log = (idle.state / "log" / "train.log").read_text()
    assert f"TrainModel {TODAYS_MODEL} goes on: " in log


def test_it_says_so_when_its_state_cannot_be_written(engine, scheduler_image, tmp_path):
    mount = f"--volume={tmp_path}:/var/lib/scheduler:ro"
    ended = engine.try_to("run", "--rm", "--network=host", mount, scheduler_image)
    assert ended.returncode == 1
    assert "/var/lib/scheduler can't be written to" in ended.stderr


def test_commands_work_without_luigid_too(idle: Scheduler):
    """The settings name luigid; the command line wins."""
    command = f"luigi --module pipeline TrainModel --date {TODAYS_MODEL} --local-scheduler"
    idle.ask("bash", "-c", f"kill -STOP {idle.pid('luigid')}; {command}")
    assert idle.project.is_done("training", TODAYS_MODEL)
