"""How a machine comes into being and how it ends: asked for until it is certain."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from google.api_core import exceptions
from google.api_core.retry import Retry
from google.cloud import compute_v1

from pipeline.compute.google.api import AgainError, Api, is_uncertain
from pipeline.compute.google.places import Place, instance_name
from pipeline.compute.google.refusals import Meaning, Refusal, permit, say
from pipeline.errors import ComputeError, MachineRefusedError
from pipeline.google_cloud import naming
from pipeline.records import Request

T = TypeVar("T")

_LONGEST_PAUSE_SECONDS = 30.0


class Lifecycle:
    """Makes machines and ends them, and touches none that another storage's pipeline made.

    Parameters
    ----------
    api : Api
    digest : str
        Of the storage: it is in the names and labels of the machines that are ours.
    patience_seconds, pause_seconds : float
        For how long something is asked again, and the first of the growing pauses.
    """

    def __init__(
        self, api: Api, digest: str, patience_seconds: float, pause_seconds: float
    ) -> None:
        self.digest = digest
        self.patience_seconds = patience_seconds
        self.pause_seconds = pause_seconds
        self._api = api

    def make(self, instance: compute_v1.Instance, request: Request, identity: str) -> None:
        """Return when the machine is there, or was.

        All requests with the same `identity` are one to Compute Engine. Raises `NoCapacityError`
        or `MachineRefusedError` when there is no machine and will be none.
        """
        place = Place.parse(request.machine)
        end = time.monotonic() + self.patience_seconds
        with naming(ComputeError, f"make {place}", denied=permit(place)):
            try:
                refusal = self._patiently(
                    lambda: self._insert(place, instance, request, identity, end)
                )
            except exceptions.RetryError as error:
                if self._find_ours(place):
                    # Made slowly: how long that may take is for the waiter to say.
                    return
                raise ComputeError(
                    f"It is not known whether {place} is being made: {say(error.cause)}. Run the"
                    " command again: it asks for the same machine."
                ) from error
        if refusal:
            # A machine that was not made can leave something behind.
            self.end(place)
            raise refusal.explain(request)

    def end(self, place: Place) -> None:
        """Delete the machine and see that it is gone. No-op when there is none."""
        end = time.monotonic() + self.patience_seconds
        with naming(ComputeError, f"delete {place}", denied=permit(place)):
            try:
                self._patiently(lambda: self._remove(place, end))
            except exceptions.RetryError as error:
                raise ComputeError(
                    f"{place} is not deleted: {say(error.cause)}. Delete it:"
                    f" {place.command('delete')}."
                ) from error

    def _insert(
        self,
        place: Place,
        instance: compute_v1.Instance,
        request: Request,
        identity: str,
        end: float,
    ) -> Refusal | None:
        """Ask for a machine, and wait until the operation has ended: why it failed, if it did."""
        refusal: Refusal | None
        try:
            operation = self._api.insert(place, instance, identity)
        except exceptions.GoogleAPICallError as error:
            refusal = Refusal.of_reply(error)
            if refusal.meaning is Meaning.BUSY or refusal.status == HTTPStatus.UNAUTHORIZED:
                raise
            if refusal.meaning is not Meaning.EXISTS:
                raise refusal.explain(request) from error
        else:
            refusal = Refusal.of_operation(self._api.finish(place, operation, end))
        if refusal is None or refusal.meaning is not Meaning.EXISTS:
            return refusal
        if self._find_ours(place) is None:
            raise AgainError(f"{place} was there and is gone")
        return None

    def _remove(self, place: Place, end: float) -> None:
        if self._find_ours(place) is None:
            return
        operation = self._api.delete(place)
        refusal = operation and Refusal.of_operation(self._api.finish(place, operation, end))
        if refusal:
            raise AgainError(str(refusal))
        if self._api.find(place) is not None:
            raise AgainError("it is still there")

    def _find_ours(self, place: Place) -> compute_v1.Instance | None:
        """The machine, or None when there is none. Raises when it is not of our making."""
        found = self._api.find(place)
        if found is None:
            return None
        job, digest = found.labels.get("job", ""), found.labels.get("storage")
        if digest != self.digest or place.name != instance_name(job, self.digest):
            raise MachineRefusedError(
                f"{place} is somebody else's, as its labels say: it is left alone. Look at it:"
                f" {place.command('describe')}."
            )
        return found

    def _patiently(self, function: Callable[[], T]) -> T:
        """Call until nothing is uncertain. Raises `RetryError` when that takes too long."""
        retry = Retry(
            predicate=is_uncertain,
            initial=self.pause_seconds,
            maximum=_LONGEST_PAUSE_SECONDS,
            multiplier=2.0,
            timeout=self.patience_seconds,
        )
        result: T = retry(function)()
        return result
