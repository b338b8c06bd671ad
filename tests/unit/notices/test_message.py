import datetime

from pipeline.notices.causes import Cause
from pipeline.notices.message import compose, link

DAYS = [datetime.date(2024, 3, 1), datetime.date(2024, 3, 2)]
LOG = "/srv/churn/v1/jobs/churn-training-20240301-fedc7dfb8c/log.txt"


def cause(
    task: str = "TrainModel", reason: str = "a bad day", logs: tuple[str, ...] = (LOG,)
) -> Cause:
    trace = "Traceback (most recent call last):\n  File x\nValueError: a bad day"
    return Cause(task, reason, DAYS, trace, logs)


def text(*causes: Cause, **options: int) -> str:
    return compose("churn v1", "small-machine", causes, {}, **options).text


def test_one_cause_is_told_with_its_dates_its_reason_and_its_log():
    message = compose("churn v1", "small-machine", [cause()], {})
    assert message.subject == "churn v1: TrainModel 2024-03-01 to 2024-03-02 failed"
    assert message.text == (
        "churn v1: TrainModel 2024-03-01 to 2024-03-02 failed (told by small-machine)\n"
        "\n"
        "TrainModel 2024-03-01 to 2024-03-02: a bad day\n"
        f"    Log: {LOG}"
    )


def test_the_subject_of_several_causes_counts_them_and_names_the_tasks():
    causes = [cause(), cause("ApplyModel"), cause("ApplyModel", "a strike")]
    message = compose("churn v1", "small-machine", causes, {"TrainModel": DAYS})
    assert message.subject == "churn v1: TrainModel, ApplyModel failed, for 3 causes"
    assert message.text.endswith("\n\nRecovered: TrainModel 2024-03-01 to 2024-03-02")


def test_what_has_recovered_alone_is_the_subject():
    later = [*DAYS, datetime.date(2024, 3, 5)]
    recovered = {"TrainModel": DAYS[:1], "ApplyModel": later}
    message = compose("churn v1", "small-machine", [], recovered)
    assert message.subject == "churn v1: TrainModel 2024-03-01, ApplyModel (3 dates) recovered"


def test_the_last_lines_of_the_traceback_are_told_when_they_are_wanted():
    assert "ValueError" not in text(cause())
    assert "\n      File x\n    ValueError: a bad day\n    Log: " in text(
        cause(), traceback_lines=2
    )


def test_a_log_in_cloud_storage_becomes_a_link_for_a_browser():
    assert link("gs://shop/churn v1/log.txt") == (
        "https://storage.cloud.google.com/shop/churn%20v1/log.txt"
    )
    assert link(LOG) == LOG


def test_long_things_are_cut():
    assert text(cause(reason="x" * 500)).count("x") < 450
    assert "and 2 logs more" in text(cause(logs=tuple("abcde")))
    assert "There are 5 causes more: see the log." in text(*[cause()] * 25)
