"""Every base, format, sampler and kind of request against a plain diffusers call.

Run by `make engine-matrix`. Prints a line for each base, format and sampler with the
largest difference of any 8-bit value over its requests; fails unless all are 0.
"""

import argparse
import itertools
import logging
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from tests.workers.engine import checkpoints, plain, single_files
from tests.workers.engine.conftest import make_spec, run
from workers.engine.engine import Engine
from workers.engine.samplers import SAMPLERS, sampler_names

REQUESTS = {
    "one": {"steps": 4},
    "batch": {"steps": 3, "seeds": (1, 2, 3)},
    "unguided": {"steps": 3, "cfg_scale": None},
    "wide": {"steps": 3, "width": 96, "height": 32, "negative_prompt": "blurry"},
}
FILES = {
    "sd15": ("sd15",),
    "sd21": ("sd21",),
    "sdxl": ("sdxl",),
    "flux": ("flux_bfl", "flux_diffusers"),
}


def build_models(root):
    """(base, format, checkpoint, folder that the plain call reads)."""
    for base in SAMPLERS:
        folder = checkpoints.build(base, root / base)
        yield base, "diffusers", folder, folder
        for name in FILES[base]:
            target = root / f"{name}.safetensors"
            if base == "flux":
                getattr(single_files, name)(folder, target)
            else:
                single_files.stable_diffusion(base, folder, target)
            yield base, name, target, folder


def difference(engine, model, folder, base, sampler):
    """The largest difference over all requests, or the request that failed."""
    worst = 0
    for request in REQUESTS.values():
        spec = make_spec(model, base, sampler=sampler, **request)
        drawn = plain.pixels(run(engine, spec).images)
        worst = max(worst, int(np.abs(drawn - plain.pictures(folder, spec)).max()))
    return worst


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--base", choices=SAMPLERS, help="only this base")
    only = options.parse_args().base
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    log = logging.getLogger("matrix")
    torch.set_num_threads(1)
    started, failures = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="engine-matrix-") as folder:
        models = list(build_models(Path(folder)))
        engine = Engine("cpu", companions={b: Path(folder) / b for b in SAMPLERS})
        for (base, kind, model, source), sampler in itertools.chain.from_iterable(
            ((entry, name) for name in sampler_names(entry[0])) for entry in models
        ):
            if only and base != only:
                continue
            worst = difference(engine, model, source, base, sampler)
            failures += worst > 0
            log.info("%-5s %-15s %-20s %s", base, kind, sampler, worst or "equal")
    log.info(
        "%d requests each, %.0f s, torch %s, %s: %s",
        len(REQUESTS),
        time.monotonic() - started,
        torch.__version__,
        engine.device.hardware_class,
        f"{failures} differ" if failures else "all equal",
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
