"""What the orchestrator asks of Google Cloud: a date from nothing, done, and a thousand done.

.venv/bin/python benchmarks/request_count.py [--list]

Counted by a proxy in front of servers that speak as Google's do. What machines ask for themselves
is not counted; what is asked again while something goes on is polling, and is told beside. Then the
same by the tasks and targets of luigi.contrib (contrib_chain.py), which make no machines.
"""

import argparse
import datetime
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from cloud import CloudProject, cloud_project
from measuring import LUIGI, head, judge

if TYPE_CHECKING:
    from google.cloud import bigquery

DATE = "1998-04-01"
DATES = 1000
LAST = datetime.date(1998, 6, 30)
DAYS = [LAST - datetime.timedelta(days=number) for number in range(DATES)]
SERVICES = ("storage", "bigquery", "compute")
# How a job stands: its machine, its folder, its heart; how BigQuery's job stands. And whatever is
# asked for again that was not there before.
POLLING = {
    "storage": r"GET /download/.*heartbeat\.json|GET \S+\?.*prefix=[^&]*/jobs/",
    "bigquery": r"GET .*/(jobs|queries)/",
    "compute": r"GET .*/instances/|POST .*/operations/.*/wait|GET .*/operations",
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--list", action="store_true", help="print every request")
    given = options.parse_args()
    head("requests: what the orchestrator asks of Google Cloud")
    with cloud_project() as place:
        upload_transactions(place)
        load = ("LoadToBigQuery", "--date", DATE)
        count(place, "from nothing", load, 75, everything=given.list)
        count(place, "again", load, 2, everything=given.list)
        thousand = backfill(place)
        count(place, f"{DATES} dates that are done", thousand, 8, everything=given.list)
        compare(place, everything=given.list)


def count(
    place: CloudProject, title: str, words: Sequence[str], goal: int, *, everything: bool
) -> None:
    place.cloud.requests.clear()
    run(place, *words)
    judge(title, tell(place, title, everything=everything), at_most=goal, unit="")


def compare(place: CloudProject, *, everything: bool) -> None:
    """Count the same for luigi.contrib: its tables are listed by name, its files looked for."""
    shutil.copy(Path(__file__).with_name("contrib_chain.py"), place.folder)
    os.environ |= {"CONTRIB_ROOT": f"{place.bucket}/contrib", "CONTRIB_DATASET": place.dataset}
    for title in ("from nothing", "again"):
        rival(place, f"luigi.contrib, {title}", "Load", "--date", DATE, everything=everything)
    whole = ("--start", str(DAYS[-1]), "--stop", str(LAST + datetime.timedelta(days=1)))
    whole += ("--days-back", "100000", "--task-limit", str(DATES))
    finish_contrib(place)
    for task in ("Load", "Apply"):
        title = f"luigi.contrib, {DATES} dates that are done, {task}"
        rival(place, title, "RangeDaily", "--of", task, *whole, everything=everything)


def rival(place: CloudProject, title: str, *words: str, everything: bool) -> None:
    place.cloud.requests.clear()
    run(place, *words, module="contrib_chain")
    tell(place, title, everything=everything)


def finish_contrib(place: CloudProject) -> None:
    """A thousand dates as if luigi.contrib had made them: a file of predictions, and a table."""
    from google.cloud import bigquery

    client, schema = bigquery_client(place), [bigquery.SchemaField("customer_id", "INT64")]

    def finish(day: datetime.date) -> None:
        place.upload(f"contrib/predictions/{day}.parquet", b"")
        name = f"{place.dataset}.predictions_{day:%Y%m%d}"
        client.create_table(bigquery.Table(name, schema), exists_ok=True)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(finish, DAYS))


def upload_transactions(place: CloudProject) -> None:
    """The table that the example's queries read."""
    import io

    import pyarrow.parquet as pq
    from google.cloud import bigquery
    from pyarrow import csv

    content = io.BytesIO()
    pq.write_table(csv.read_csv(place.folder / "data" / "transactions-sample.csv.gz"), content)
    place.upload("transactions.parquet", content.getvalue())
    client = bigquery_client(place)
    config = bigquery.LoadJobConfig(source_format="PARQUET")
    client.load_table_from_uri(
        f"{place.bucket}/transactions.parquet", f"{place.dataset}.transactions", job_config=config
    ).result()


def bigquery_client(place: CloudProject) -> "bigquery.Client":
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    return bigquery.Client(
        project=place.dataset.partition(".")[0],
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": place.cloud.environment["BIGQUERY_EMULATOR_HOST"]},
    )


def backfill(place: CloudProject) -> tuple[str, ...]:
    """A thousand dates as if they had been loaded, and the command that asks for them."""
    [marker] = place.names(rf"/load/.*/date={DATE}/_SUCCESS$")
    names = [
        marker.replace(DATE, str(date)).replace("_SUCCESS", file)
        for date in DAYS
        for file in ("claim-1.json", "_SUCCESS")
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: place.upload(name, b"{}"), names))
    stop = LAST + datetime.timedelta(days=1)
    return ("Backfill", "--start", str(DAYS[-1]), "--stop", str(stop))


def run(place: CloudProject, *words: str, module: str = "pipeline") -> None:
    command = [*LUIGI, module, *words, "--local-scheduler"]
    ended = subprocess.run(command, cwd=place.folder, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{ended.stdout}{ended.stderr}\n{words} ended with {ended.returncode}.")


def tell(place: CloudProject, title: str, *, everything: bool) -> int:
    """Print what was asked; returns how many requests there were, polling aside."""
    asked, polling = Counter[str](), Counter[str]()
    missed = set[str]()
    for each in place.cloud.requests:
        if each.service not in SERVICES:
            continue
        query = "&".join(f"{name}={value}" for name, value in each.query.items())
        line = f"{each.status} {each.method} {each.path}?{query}"
        polls = re.search(POLLING[each.service], line) or line in missed
        if each.status == 404:
            missed.add(line)
        kind = polling if polls else asked
        kind[each.service] += 1
        if everything:
            print(f"    {'poll' if kind is polling else '    '} {each.service:9}{line[:200]}")
    by_service = ", ".join(f"{name} {asked[name]}" for name in SERVICES)
    print(f"  {title}: {by_service}; polling {polling.total()}")
    return asked.total()


if __name__ == "__main__":
    main()
