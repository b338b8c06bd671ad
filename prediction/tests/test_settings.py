"""The luigi.cfg that is shipped, as long as it is the example's."""

import configparser
from pathlib import Path

from pipeline import settings
from pipeline.console import DEFAULTS

ROOT = Path(__file__).parents[2]
SECTIONS = (settings.pipeline, settings.training, settings.application, settings.jobs)


def shipped() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "luigi.cfg")
    return config


def test_every_setting_is_spelt_out():
    config = shipped()
    for section in SECTIONS:
        assert set(config[section.__name__]) == {key for key, _ in section.get_params()}
    assert dict(config["local_warehouse"]) == {"transactions": "data/transactions.csv.gz"}


def test_luigis_traps_are_closed():
    config = shipped()
    for section, values in DEFAULTS.items():
        for key, value in values.items():
            assert config.get(section, key) == value
    assert config.getboolean("core", "autoload_range")
    assert config.getboolean("core", "local_scheduler")
