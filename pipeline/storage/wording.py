"""Errors that read the same whichever side raises them."""

from pipeline.errors import ObjectExistsError, ObjectMissingError


def missing(url: str) -> ObjectMissingError:
    return ObjectMissingError(
        f"{url} does not exist. Run the task that writes it, or correct `storage` under "
        "[pipeline] in luigi.cfg."
    )


def there_already(url: str) -> ObjectExistsError:
    return ObjectExistsError(
        f"{url} is there already and is written only once. Delete it to have it made again."
    )
