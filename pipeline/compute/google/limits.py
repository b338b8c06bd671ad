"""What Compute Engine accepts of an instance, and what our image runs on.

Refused here in our words, before anything is asked for, rather than there.
"""

import re
from collections.abc import Iterator, Mapping

from google.cloud import compute_v1

# cloud.google.com/compute/docs/naming-resources, .../labeling-resources,
# .../metadata/setting-custom-metadata, .../instances/limit-vm-runtime
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_LABELS = 64
_METADATA_KEY = re.compile(r"[a-zA-Z0-9_-]{1,127}")
_METADATA_VALUE_BYTES = 262_144
_METADATA_BYTES = 524_288
_RUN_SECONDS = range(30, 120 * 24 * 3600 + 1)

_ACCELERATORS = re.compile(r"(a[2-9]|g[2-9]|ct\d)[a-z]*-")
_ARM = re.compile(r"(t2a|c4a|n4a|a4x)-")


def find_kind_problems(machine_type: str, accelerators: object = None) -> Iterator[str]:
    """Why jobs can't run on machines of a type, if so: a sentence each, without the full stop."""
    if accelerators or _ACCELERATORS.match(machine_type):
        yield (
            f"{machine_type} is asked for with accelerators, and the container's image has no"
            " drivers for them"
        )
    elif _ARM.match(machine_type):
        yield f"{machine_type} has Arm processors, and the container's image is for amd64"


def find_problems(instance: compute_v1.Instance) -> Iterator[str]:
    """What of an instance would be refused: a sentence each, without the full stop.

    The disk's labels are the instance's.
    """
    if not _NAME.fullmatch(instance.name):
        yield f"{instance.name!r} is no name for a machine"
    yield from _find_label_problems(instance.labels)
    yield from _find_metadata_problems({each.key: each.value for each in instance.metadata.items})
    seconds = int(instance.scheduling.max_run_duration.seconds)
    if seconds not in _RUN_SECONDS:
        yield (
            f"a machine lives from 30 seconds to 120 days, not {seconds} seconds, which is"
            " start_limit_seconds + deadline_seconds + 600"
        )


def _find_label_problems(labels: Mapping[str, str]) -> Iterator[str]:
    if len(labels) > _LABELS:
        yield f"it has {len(labels)} labels, at most {_LABELS} are allowed"
    for key, value in labels.items():
        if not (_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value)):
            yield f"the label {key}={value} has more than 63 or other characters than a-z0-9_-"


def _find_metadata_problems(items: Mapping[str, str]) -> Iterator[str]:
    total = 0
    for key, value in items.items():
        size = len(value.encode())
        total += len(key) + size
        if not _METADATA_KEY.fullmatch(key):
            yield f"{key!r} is no name for a metadata attribute"
        if size > _METADATA_VALUE_BYTES:
            yield f"the metadata attribute {key} has {size} bytes, more than 256 KiB"
    if total >= _METADATA_BYTES:
        yield f"its metadata have {total} bytes, 512 KiB or more"
