"""The provenance of a run: machine, software versions, commit."""

import importlib.metadata
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import torch

from wordways import HOME

PACKAGES = ("wordways", "torch", "numpy", "tokenizers", "safetensors", "hydra-core", "sacrebleu", "datasets")


def provenance(device: torch.device) -> dict[str, Any]:
    """What a reader needs to interpret a timing and repeat a run; None where a value is unavailable."""
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "commit": git("rev-parse", "HEAD"),
        "dirty": None if git("rev-parse", "HEAD") is None else bool(git("status", "--porcelain")),
    }


def processor() -> str:
    """The CPU's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def version(package: str) -> str | None:
    """The installed version; None where the package is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def git(*command: str) -> str | None:
    """The output of a git command in the repository; None where it fails."""
    try:
        done = subprocess.run(["git", "-C", str(HOME), *command], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
