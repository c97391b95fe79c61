"""Text to image on one device: loading, denoising, decoding, memory.

The engine knows neither Django nor any app. It never reaches for the network: the
flags below are set before the hub's client reads them, and every load names a local
folder or file.
"""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
# Read by OpenMP when torch is first imported. Threads that wait for each other by
# spinning take the processor from the very thread they wait for once anything else
# runs beside them: measured, 2 to 10 times slower on a busy 2-core machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Read by cuBLAS when CUDA starts: without it matrix products may differ between runs.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
