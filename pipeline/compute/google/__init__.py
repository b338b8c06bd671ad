"""Compute Engine: a machine of Google's for each job."""

from pipeline.compute.google.machines import GoogleCompute, MachineKind

__all__ = ["GoogleCompute", "MachineKind"]
