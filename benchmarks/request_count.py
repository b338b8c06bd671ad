"""What the orchestrator asks of Google Cloud: a date from nothing, done, and a thousand done.

.venv/bin/python benchmarks/request_count.py [--list]

Counted by a proxy in front of servers that speak as Google's do. What machines ask for themselves
is not counted; what is asked again while something goes on is polling, and is told beside.
"""

import argparse
import datetime
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from cloud import CloudProject, cloud_project
from measuring import LUIGI, head, judge

DATE = "1998-04-01"
DATES = 1000
LAST = datetime.date(1998, 6, 30)
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
        count(place, "from nothing", load, 70, everything=given.list)
        count(place, "again", load, 2, everything=given.list)
        thousand = backfill(place)
        count(place, f"{DATES} dates that are done", thousand, 8, everything=given.list)


def count(
    place: CloudProject, title: str, words: Sequence[str], goal: int, *, everything: bool
) -> None:
    place.cloud.requests.clear()
    run(place, *words)
    judge(title, tell(place, title, everything=everything), at_most=goal, unit="")


def upload_transactions(place: CloudProject) -> None:
    """The table that the example's queries read."""
    import io

    import pyarrow.parquet as pq
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery
    from pyarrow import csv

    content = io.BytesIO()
    pq.write_table(csv.read_csv(place.folder / "data" / "transactions-sample.csv.gz"), content)
    place.upload("transactions.parquet", content.getvalue())
    client = bigquery.Client(
        project=place.dataset.partition(".")[0],
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": place.cloud.environment["BIGQUERY_EMULATOR_HOST"]},
    )
    config = bigquery.LoadJobConfig(source_format="PARQUET")
    client.load_table_from_uri(
        f"{place.bucket}/transactions.parquet", f"{place.dataset}.transactions", job_config=config
    ).result()


def backfill(place: CloudProject) -> tuple[str, ...]:
    """A thousand dates as if they had been loaded, and the command that asks for them."""
    dates = [LAST - datetime.timedelta(days=number) for number in range(DATES)]
    [marker] = place.names(rf"/load/.*/date={DATE}/_SUCCESS$")
    names = [
        marker.replace(DATE, str(date)).replace("_SUCCESS", file)
        for date in dates
        for file in ("claim-1.json", "_SUCCESS")
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: place.upload(name, b"{}"), names))
    stop = LAST + datetime.timedelta(days=1)
    return ("Backfill", "--start", str(min(dates)), "--stop", str(stop))


def run(place: CloudProject, *words: str) -> None:
    command = [*LUIGI, "pipeline", *words, "--local-scheduler"]
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
