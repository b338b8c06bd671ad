"""What `doctor` looks at. Each returns what it found; what is wrong is raised, with the remedy."""

import secrets

import requests
from luigi.configuration import get_config

from pipeline import opening, settings, storage
from pipeline.errors import ComputeError, SettingsError, StorageError
from pipeline.model_package import Recipe

_TIMEOUT_SECONDS = 10.0
_NEEDED = (
    "storage.objects.create",
    "storage.objects.delete",
    "storage.objects.get",
    "storage.objects.list",
)


def examine_settings() -> str:
    """Which files the settings come from, and that they are right."""
    settings.check()
    chosen = settings.pipeline()
    return f"{chosen.name}, version {chosen.version}, retrained {chosen.schedule}"


def examine_package() -> str:
    """That the model package has what data are made with."""
    chosen = settings.pipeline()
    templates = {name: settings.action(name).data for name in ("training", "application")}
    if not all(templates.values()):
        recipe = Recipe.of_package(chosen.prediction)
        return f"{chosen.prediction}, key {', '.join(recipe.key)}"
    return f"{chosen.prediction}, data in files: {', '.join(sorted(set(templates.values())))}"


def examine_storage() -> str:
    """That an object can be written, read, listed and deleted where all results lie."""
    root = opening.current_layout().root
    store = storage.open(root)
    if root.startswith("gs://"):
        _examine_bucket(root.split("/")[2])
    url = f"{root}/doctor-{secrets.token_hex(5)}"
    try:
        store.write(url, b"", create_only=True)
        store.read(url)
    finally:
        store.delete(url)
    return f"{root} can be read and written"


def _examine_bucket(bucket: str) -> None:
    """Raise `StorageError` when we may not do what the pipeline does in a bucket."""
    from pipeline.storage.google import find_permissions

    missing = sorted(set(_NEEDED) - find_permissions(bucket, _NEEDED))
    if missing:
        raise StorageError(
            f"In gs://{bucket} you lack {', '.join(missing)}. Have its owner type `gcloud storage"
            f" buckets add-iam-policy-binding gs://{bucket} --member=MEMBER"
            " --role=roles/storage.objectUser`."
        )


def examine_warehouse() -> str:
    """That the warehouse answers, and that what queries read is there."""
    return opening.open_warehouse().examine()


def examine_compute() -> str:
    """That machines, or containers, can be asked for."""
    compute = opening.open_compute()
    found = len(compute.find_all())
    image = f", image {compute.image}" if compute.image and compute.name == "docker" else ""
    return f"{compute.name}, {found} at work{image}"


def examine_subnetwork() -> str:
    """That machines without a public address reach Google's services."""
    from pipeline.compute.google.api import Api
    from pipeline.google_cloud import naming

    chosen = settings.compute_engine()
    words = chosen.subnetwork.split("/")
    project = words[1] if words[0] == "projects" else chosen.project
    region, name = words[-3], words[-1]
    with naming(
        ComputeError,
        f"look at the subnetwork {name} of {region}",
        denied=(
            f"Type `gcloud projects add-iam-policy-binding {project} --member=MEMBER"
            " --role=roles/compute.networkUser`."
        ),
        missing="Correct `subnetwork` under [compute_engine] in luigi.cfg.",
    ):
        reaches = Api().reaches_google(project, region, name)
    if not reaches:
        raise ComputeError(
            f"Machines in {name} of {region} do not reach Google's services. Type `gcloud compute"
            f" networks subnets update {name} --project={project} --region={region}"
            " --enable-private-ip-google-access`."
        )
    return f"{name} of {region} reaches Google's services"


def examine_image() -> str:
    """That the registry has the image which machines run."""
    from pipeline.compute.google import registry

    image = settings.compute_engine().image
    registry.check(image)
    return f"{image} is in its registry"


def examine_luigid() -> str:
    """That luigid answers, where it is used."""
    config = get_config()
    if config.getboolean("core", "local_scheduler", False):
        return "not used: local_scheduler = true under [core]"
    host = config.get("core", "default_scheduler_host", "localhost")
    port = config.get("core", "default_scheduler_port", "8082")
    url = config.get("core", "default_scheduler_url", "") or f"http://{host}:{port}"
    try:
        requests.get(f"{url}/api/task_list", timeout=_TIMEOUT_SECONDS).raise_for_status()
    except requests.RequestException as error:
        raise SettingsError(
            f"{url} does not answer: {type(error).__name__}. Start it, `luigid --address"
            " 127.0.0.1`, or set local_scheduler = true under [core] in luigi.cfg."
        ) from error
    return f"{url} answers"
