"""Any text as the value of any key: accepted as docs/configuration.md says, or one line."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline import settings
from pipeline.errors import SettingsError

SECTIONS = (
    settings.pipeline,
    settings.training,
    settings.application,
    settings.jobs,
    settings.notices,
)
KEYS = [(each.__name__, key) for each in SECTIONS for key, _ in each.get_params()]
WORDS = st.sampled_from(
    [
        "daily",
        "local",
        "gs://bucket/p",
        "bigquery://p/d",
        "x.duckdb",
        "{date}",
        "x/{date}.csv",
        "{",
        "}",
        "1",
        "0",
        "-1",
        "1.5",
        "1e3",
        "nan",
        "inf",
        "~",
        "~nobody/x",
        "%",
        "%%",
        "%(name)s",
        "${HOME}",
        "${NO_SUCH_VARIABLE}",
        " # x",
        " ;",
        "#",
        "\x00",
        ".csv",
        "://",
        "/",
        "=",
        ":",
        "toy",
    ]
)
TEXTS = st.lists(
    WORDS | st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=5), max_size=4
).map("".join)


def allowed(key: str, text: str) -> bool | None:
    """What the reference says of a text: True, False, or None where it leaves that to a reader."""
    text = text.strip()
    if "%" in text or "$" in text or "\0" in text or re.search(r"\s[;#]", text):
        return None
    if key == "name":
        return bool(re.fullmatch(r"[a-z][a-z0-9-]{0,19}", text))
    if key == "schedule":
        return text in {"daily", "weekly", "monthly"}
    if key == "compute":
        return text == "local"
    if key == "data":
        rest = text.replace("{date}", "")
        return None if "~" in text else not text or ("{date}" in text and not set("{}") & set(rest))
    if key.endswith(("days", "version", "retries", "deadline_seconds", "max_dates_per_job")):
        least = 0 if key.endswith(("days", "retries")) else 1
        return int(text) >= least if re.fullmatch(r"[+-]?[0-9]{1,9}", text) else None
    if key.endswith("seconds"):
        return float(text) > 0 if re.fullmatch(r"[+-]?[0-9]{1,9}(\.[0-9]+)?", text) else None
    return None


@pytest.mark.parametrize(("section", "key"), KEYS)
@given(text=TEXTS)
@example(text="~nobody/x")
@example(text="x/\0.duckdb")
@example(text="{date:%%Y}")
def test_a_text_is_accepted_as_documented_or_refused_in_one_line(configured, section, key, text):
    changes = {key: text} if section == "pipeline" else {}
    more = "" if section == "pipeline" else f"[{section}]\n{key} = {text}"
    try:
        with configured(more, **changes) as current:
            check(getattr(current, section)())
        accepted = True
    except SettingsError as error:
        accepted = False
        assert "\n" not in str(error)
        assert key in str(error)
    assert allowed(key, text) in {None, accepted}


def check(section: object) -> None:
    """What was accepted is what the program can use."""
    for key, value in vars(section).items():
        if key in {"prediction", "work"}:
            assert value.is_absolute()
        if key in {"storage", "warehouse"}:
            assert Path(value).is_absolute() or value.startswith(("gs://", "bigquery://"))
        if isinstance(value, str | Path):
            assert "\0" not in str(value)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=20))
def test_a_section_or_key_of_any_name_is_read_or_refused_in_one_line(configured, name):
    name = re.sub(r"[\]\[=:#;%$]|^\s+", "", name).strip() or "x"
    try:
        with configured(f"[jobs]\n{name} = 1\n[{name} x]\n{name} = 1"):
            pass
        accepted = True
    except SettingsError as error:
        accepted = False
        assert "\n" not in str(error)
    assert not accepted or name.replace("-", "_") in {key for _, key in KEYS}
