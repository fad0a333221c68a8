"""Times one training step of every contender, side by side.

    python benchmarks/run.py                           all workloads, dtypes, 1 and 2 threads
    python benchmarks/run.py W1 --threads 1            one row
    python benchmarks/run.py W1 --module mine=circles.py
    python benchmarks/run.py --json results.json

A row runs in a process of its own, pinned to its threads. Gradients are compared before anything
is timed. Blocks of about 20 ms alternate (A B C A B C …); a ratio is the median over the rounds
of the ratios to the hand-written step of the same round, so drift of the machine cancels.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from workloads import WORKLOADS

HERE = Path(__file__).parent
BASELINE = "handwritten"
DTYPES = ("float64", "float32")
BLOCK_SECONDS = 0.02
MINIMUM_ROUNDS = 15
ROW_SECONDS = 25.0
COMMAND_SECONDS = 60.0
TOLERANCES = {"float64": 1e-10, "float32": 2e-4}
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
NEGLIGIBLE = 1e-3  # of the largest gradient
NUMPY_ONLY = ("pytorch", "jax")


def main() -> None:
    options = _parser().parse_args()
    if options.worker:
        print(json.dumps(measure_row(options)))
        return
    rows = [
        _spawn(options, workload, dtype, threads)
        for workload in options.workloads or WORKLOADS
        for dtype in options.dtype or DTYPES
        for threads in options.threads or (1, 2)
    ]
    commands = {} if options.no_generate else measure_commands()
    print(_table(rows), _details(rows), _command_lines(commands), sep="\n\n")
    if options.json:
        report = {"machine": _machine(), "rows": rows, "commands": commands}
        options.json.write_text(json.dumps(report, indent=1) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", type=_workload, metavar="|".join(WORKLOADS))
    parser.add_argument("--dtype", action="append", choices=DTYPES)
    parser.add_argument("--threads", action="append", type=int, choices=(1, 2))
    parser.add_argument(
        "--module",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="time this generated module too (for the workloads of its shapes)",
    )
    parser.add_argument("--only", help="contenders, separated by commas; handwritten is always in")
    parser.add_argument(
        "--no-generate", action="store_true", help="neither generate modules nor time the commands"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser


def _workload(name: str) -> str:
    """`choices` of a positional argument refuses none at all."""
    if name not in WORKLOADS:
        raise argparse.ArgumentTypeError(f"{name!r}; there are {', '.join(WORKLOADS)}")
    return name


def _spawn(options: argparse.Namespace, workload: str, dtype: str, threads: int) -> dict[str, Any]:
    """Runs one row in a process whose libraries see only its threads."""
    command = [sys.executable, __file__, workload, "--worker", "--dtype", dtype]
    command += ["--threads", str(threads)]
    command += [part for module in options.module for part in ("--module", module)]
    command += ["--only", options.only] if options.only else []
    command += ["--no-generate"] if options.no_generate else []
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
    environment["XLA_FLAGS"] = (
        f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()} "
        f"intra_op_parallelism_threads={threads}"
    )
    print(f"{workload} {dtype}, {threads} thread(s) …", file=sys.stderr, flush=True)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure_row(options: argparse.Namespace) -> dict[str, Any]:
    """One workload, dtype and number of threads, in this process."""
    (name,), (dtype,), (threads,) = options.workloads, options.dtype, options.threads
    _pin(threads)
    workload = WORKLOADS[name]
    contenders, missing = _contenders(options, workload, dtype)
    errors = compare_gradients(contenders, TOLERANCES[dtype])
    memory = {
        key: None if key in NUMPY_ONLY else transient_bytes(contender.step)
        for key, contender in contenders.items()
    }
    times = interleaved({key: contender.step for key, contender in contenders.items()})
    return {
        "workload": name,
        "dtype": dtype,
        "threads": threads,
        "microseconds": {key: 1e6 * statistics.median(values) for key, values in times.items()},
        "ratios": {key: median_ratio(values, times[BASELINE]) for key, values in times.items()},
        "rounds": len(times[BASELINE]),
        "gradient_errors": errors,
        "transient_bytes": memory,
        "page_faults": {key: page_faults(entry.step) for key, entry in contenders.items()},
        "missing": missing,
    }


def _pin(threads: int) -> None:
    """Confines the process to as many processors: a library's own thread pool may ignore flags."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def _contenders(
    options: argparse.Namespace, workload: Any, dtype: str
) -> tuple[dict[str, Any], dict[str, str]]:
    from contenders import BUILDERS, generated

    x, y = workload.data(dtype)
    params = workload.parameters(dtype)
    wanted = options.only.split(",") if options.only else list(BUILDERS)
    builders = {name: BUILDERS[name] for name in BUILDERS if name in {BASELINE, *wanted}}
    contenders, missing = {}, {}
    for entry in options.module:
        name, _, path = entry.partition("=")
        builders[name] = generated(Path(path))
    if not options.no_generate:
        path = Path(tempfile.mkdtemp()) / f"{workload.name.lower()}.py"
        failure = generate(workload, path)
        if failure:
            missing["generated"] = failure
        else:
            builders["generated"] = generated(path)
    for name, builder in builders.items():
        try:
            contenders[name] = builder(workload, params, x, y)
        except ImportError as error:
            missing[name] = str(error)
    return contenders, missing


def generate(workload: Any, path: Path) -> str | None:
    """Writes the module of a workload; returns what went wrong, if anything did."""
    network = workload.description
    if "\n" in network:
        network = path.with_suffix(".toml")
        network.write_text(workload.description)
    command = [sys.executable, "-m", "symbackprop", "generate", str(network)]
    command += [*workload.options, "-o", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["failed"])[-1]


def compare_gradients(contenders: dict[str, Any], tolerance: float) -> dict[str, float]:
    """Largest error of each contender's loss and gradients, relative to each tensor's maximum.

    Or to the least that counts: a gradient may be 0 but for rounding, as that of a bias which
    adds the same to all scores of a softmax.

    Raises:
        SystemExit: where a contender computes something else; nothing is timed then.
    """
    import numpy as np

    def evaluate(contender: Any) -> dict[str, Any]:
        loss, grads = contender.evaluate()
        return {"loss": np.array(loss)} | {key: np.array(value) for key, value in grads.items()}

    expected = evaluate(contenders[BASELINE])
    largest = {key: float(np.max(np.abs(value))) for key, value in expected.items()}
    least = NEGLIGIBLE * max(value for key, value in largest.items() if key != "loss")
    errors = {}
    for name, contender in contenders.items():
        found = evaluate(contender)
        errors[name] = max(
            float(np.max(np.abs(found[key] - value)) / max(largest[key], least))
            for key, value in expected.items()
        )
        if not errors[name] <= tolerance:
            sys.exit(f"{name}: gradients differ by {errors[name]:.1e}, allowed {tolerance:.0e}")
    return errors


def interleaved(steps: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Seconds a step for each round; blocks alternate, the first step of a block is not timed."""
    repeats = {name: _calibrate(step) for name, step in steps.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    end = perf_counter() + ROW_SECONDS
    while len(times[BASELINE]) < MINIMUM_ROUNDS or (
        perf_counter() < end and len(times[BASELINE]) < 2 * MINIMUM_ROUNDS
    ):
        for name, step in steps.items():
            step()
            times[name].append(_block(step, repeats[name]))
    return times


def _calibrate(step: Callable[[], float]) -> int:
    for _ in range(3):
        step()
    return max(1, round(BLOCK_SECONDS / _block(step, 3)))


def _block(step: Callable[[], float], repeat: int) -> float:
    start = perf_counter()
    for _ in range(repeat):
        step()
    return (perf_counter() - start) / repeat


def median_ratio(values: list[float], baseline: list[float]) -> float:
    """Median over the rounds of the ratio within the round."""
    return statistics.median(a / b for a, b in zip(values, baseline, strict=True))


def transient_bytes(step: Callable[[], float]) -> int:
    """Bytes that Python and NumPy allocate at most beyond what they held before a step."""
    step()
    tracemalloc.start()
    step()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak - before


def page_faults(step: Callable[[], float], count: int = 10) -> float:
    """Minor page faults a step."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        step()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / count


def measure_commands() -> dict[str, float | None]:
    """Seconds that symbackprop takes (median of three), None past a minute or on failure."""
    with tempfile.TemporaryDirectory() as folder:
        output = ["-o", str(Path(folder) / "module.py")]
        binary = ["--loss", "binary_cross_entropy", *output]
        deep = "8-8x999:relu-1:sigmoid"
        commands = {
            "import symbackprop": ["-c", "import symbackprop"],
            "symbackprop --help": ["-m", "symbackprop", "--help"],
            "generate W1": ["-m", "symbackprop", "generate", "2-4:relu-3:relu-1:sigmoid", *binary],
            "generate 1,000 layers": ["-m", "symbackprop", "generate", deep, *binary],
        }
        return {name: _seconds(arguments) for name, arguments in commands.items()}


def _seconds(arguments: list[str]) -> float | None:
    times = []
    for _ in range(3):
        start = perf_counter()
        try:
            command = [sys.executable, *arguments]
            subprocess.run(command, capture_output=True, check=True, timeout=COMMAND_SECONDS)
        except subprocess.SubprocessError:
            return None
        times.append(perf_counter() - start)
    return statistics.median(times)


def _table(rows: list[dict[str, Any]]) -> str:
    """Ratios to the hand-written step (below 1 is faster), 1 thread / 2 threads."""
    names = list(dict.fromkeys(name for row in rows for name in row["ratios"]))
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["workload"], row["dtype"]), []).append(row)
    lines = [["workload", "dtype", "handwritten, µs", *names[1:]]]
    for (workload, dtype), group in groups.items():
        micros = " / ".join(f"{row['microseconds'][BASELINE]:.1f}" for row in group)
        cells = [" / ".join(_ratio(row["ratios"].get(name)) for row in group) for name in names[1:]]
        lines.append([workload, dtype, micros, *cells])
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _details(rows: list[dict[str, Any]]) -> str:
    """Memory, page faults and gradient errors of every row."""
    lines = []
    for row in rows:
        lines.append(f"{row['workload']} {row['dtype']}, {row['threads']} thread(s)")
        for name in row["ratios"]:
            transient = row["transient_bytes"][name]
            memory = "–" if transient is None else f"{transient / 2**20:.3f} MiB"
            lines.append(
                f"  {name:12} {row['microseconds'][name]:10.1f} µs  transient {memory}, "
                f"{row['page_faults'][name]:.1f} page faults, "
                f"gradients within {row['gradient_errors'][name]:.0e}"
            )
        lines += [f"  {name:12} not run: {reason}" for name, reason in row["missing"].items()]
    return "\n".join(lines)


def _command_lines(commands: dict[str, float | None]) -> str:
    return "\n".join(
        f"{name}: " + ("failed, or took over a minute" if seconds is None else f"{seconds:.2f} s")
        for name, seconds in commands.items()
    )


def _machine() -> dict[str, str]:
    import numpy as np

    versions = {"python": platform.python_version(), "numpy": np.__version__}
    return versions | {"machine": platform.machine(), "processors": str(os.cpu_count())}


if __name__ == "__main__":
    main()
