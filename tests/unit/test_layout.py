"""Where things lie."""

import datetime
import re

from pipeline.layout import Layout, Notice, cause_digest, claim_number, file_url, load_family

DATE = datetime.date(2024, 3, 1)
LAYOUT = Layout("/storage", "churn", 2)


def test_a_run_lies_under_name_version_family_and_date():
    run = LAYOUT.run("data/training", DATE)
    assert run.marker == "/storage/churn/v2/data/training/date=2024-03-01/_SUCCESS"
    assert run.claim(3) == "/storage/churn/v2/data/training/date=2024-03-01/claim-3.json"
    assert run.failure("j") == "/storage/churn/v2/data/training/date=2024-03-01/j/failure.json"


def test_a_run_is_called_what_a_person_calls_it():
    families = ("training", "data/application", "load/0123456789ab")
    families += ("data/evaluation", "evaluation", "evaluations/0123456789ab")
    names = [str(LAYOUT.run(family, DATE)) for family in families]
    assert names == [
        "training of 2024-03-01",
        "data for application of 2024-03-01",
        "load of 2024-03-01",
        "data for evaluation of 2024-03-01",
        "evaluation of 2024-03-01",
        "load of evaluation of 2024-03-01",
    ]


def test_a_final_slash_of_the_storage_changes_nothing():
    assert Layout("gs://bucket/a/", "churn", 2).root == "gs://bucket/a/churn/v2"


def test_a_job_knows_the_model_that_it_works_for():
    assert LAYOUT.job("a-job").model == ("churn", "2")
    assert Layout("gs://bucket/a/", "churn", 2).job("a-job").model == ("churn", "2")


def test_a_jobs_name_is_a_name_of_a_machine_and_never_comes_twice():
    names = {LAYOUT.new_job("data/application", [DATE]).name for _ in range(100)}
    assert len(names) == 100
    long = Layout("/storage", "a" * 20, 1).new_job("load/0123456789ab", [DATE]).name
    for name in [*names, long]:
        assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", name)
        assert "20240301" in name


def test_claims_are_told_from_other_files():
    assert claim_number("/run/claim-12.json") == 12
    for other in (
        "/run/claim-0.json",
        "/run/claim-.json",
        "/run/claim-1.json.tmp",
        "/run/_SUCCESS",
    ):
        assert claim_number(other) is None


def test_two_tables_or_warehouses_never_share_their_loads():
    families = {load_family(house, table) for house in "ab" for table in ("t1", "t2")}
    assert len(families) == 4


def test_a_markers_file_is_relative_to_its_run_unless_it_lies_elsewhere():
    assert file_url("/run", "job/part-0.parquet") == "/run/job/part-0.parquet"
    assert file_url("/run", "/other/a.csv") == "/other/a.csv"
    assert file_url("/run", "gs://bucket/a.csv") == "gs://bucket/a.csv"


def test_a_notice_is_known_by_its_url():
    notice = Notice("data/training", DATE, datetime.date(2024, 3, 6), cause_digest("a bad day"))
    url = LAYOUT.notice(notice)
    assert url.startswith("/storage/churn/v2/told/data/training/date=2024-03-01/2024-03-06-")
    assert LAYOUT.read_notice(url) == (notice, False)
    assert LAYOUT.read_notice(LAYOUT.notice(notice, recovered=True)) == (notice, True)


def test_what_is_no_notice_is_told_apart():
    folder = f"{LAYOUT.told}/training/date=2024-03-01"
    for name in ("notes.txt", "2024-03-06-0123.json", "2024-03-06-0123456789ab-over.json"):
        assert LAYOUT.read_notice(f"{folder}/{name}") is None
