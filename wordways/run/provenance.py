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
CPUINFO = Path("/proc/cpuinfo")
PROCESSOR = {  # what /proc/cpuinfo calls these, on x86 and on ARM
    "vendor": ("vendor_id", "CPU implementer"),
    "family": ("cpu family", "CPU architecture"),
    "model": ("model", "CPU part"),
    "stepping": ("stepping", "CPU revision"),
}


def provenance(device: torch.device) -> dict[str, Any]:
    """What a reader needs to interpret a timing and repeat a run; None where a value is unavailable."""
    versions = {name: version(name) for name in PACKAGES}
    python = {"python": platform.python_version(), "versions": versions}
    return {"started": now(), **machine(device), **python, **tree()}


def now() -> str:
    """The time in UTC, ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def machine(device: torch.device) -> dict[str, Any]:
    """The machine that runs decoders now. `processor` is empty where the system does not tell."""
    facts = cpuinfo()
    told = {name: facts[key] for name, keys in PROCESSOR.items() for key in keys if key in facts}
    on_cuda = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_cuda else facts.get("model name")
    return {
        "device": name or platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "processor": told,
        **({"capability": list(torch.cuda.get_device_capability(device))} if on_cuda else {}),
    }


def cpuinfo() -> dict[str, str]:
    """The facts of /proc/cpuinfo about the first core; empty where there is no such file."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8").split("\n\n", 1)[0].splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs if value.strip()}


def version(package: str) -> str | None:
    """The installed version; None where the package is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def tree() -> dict[str, Any]:
    """The commit of the code, and whether anything but results differs from it: a sweep changes these itself."""
    if not (HOME / ".git").exists():  # an installed copy may lie in another repository
        return {"commit": None, "dirty": None}
    commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain", "--", ".", ":(exclude)results")
    return {"commit": commit, "dirty": None if commit is None else bool(changes)}


def git(*command: str) -> str | None:
    """The output of a git command in the repository; None where it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(HOME), *command], capture_output=True, encoding="utf-8", errors="replace", timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
