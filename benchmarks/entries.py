"""Which programs `make bench` runs, with what, and which claims they back; and which programs it leaves to a person, with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks import claims
from benchmarks.claims import Claims

DATA, TABLES = "DATA", "TABLES"  # stand for what the caller gives: a folder of CIFAR-10, and every table of learning curves in a folder
NEEDS: Mapping[str, str] = {DATA: "--data FOLDER, CIFAR-10 as Parquet", TABLES: "--tables FOLDER, learning curves as Parquet"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One record: what makes it, and what it is for.

    Attributes:
        record: Name of its file in benchmarks/records/, without `.json`.
        program: What `python -m` runs.
        arguments: Its arguments; DATA and TABLES stand for what the caller gives.
        minutes: About how long that takes on two quiet cores.
        title: Of its section in docs/benchmarks.md.
        compares: What is measured, how, and against what.
        backs: Documents whose claims it backs, as they are named in docs/.
        claims: Record -> its claims.
        because: Why the suite leaves it to a person; empty where the suite makes it.
    """

    record: str
    program: str
    arguments: tuple[str, ...]
    minutes: float
    title: str
    compares: str
    backs: tuple[str, ...]
    claims: Claims
    because: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """Return which of DATA and TABLES the caller must give."""
        return tuple(word for word in (DATA, TABLES) if word in self.arguments)

    @property
    def command(self) -> str:
        """Return the command as a reader types it."""
        words = {DATA: "FOLDER", TABLES: "TABLE.parquet ..."}
        return " ".join(["python", "-m", self.program, *(words.get(word, word) for word in self.arguments)])


ENTRIES = (
    Entry(
        record="tutorial_way",
        program="benchmarks.tutorial_way",
        arguments=("--data", DATA, "--repeats", "1", "--loader-workers", "0"),  # 12.2 s an epoch; 27.9 with two of them
        minutes=8.6,
        title="A search beside the tutorial way",
        compares=(
            "The same 16 configurations searched by `shortlist run` with its default rule, and as Ray Tune's tutorial for PyTorch does "
            "it: a function trainable, torchvision's transforms, a DataLoader, Ray's `ASHAScheduler` with the tutorial's options. Same "
            "images, networks, batch sizes, schedules; two trials at once with one core each; images decoded beforehand on both sides. "
            "More repeats say more of the accuracies: `--repeats 5`."
        ),
        backs=("scale.md",),
        claims=claims.tutorial_way,
    ),
    Entry(
        record="trial_speed-cpu",
        program="benchmarks.trial_speed",
        arguments=("--batch-sizes", "128", "--repeats", "2"),
        minutes=1.5,
        title="A training loop beside the tutorial loop",
        compares=(
            "Images a second of one training, input included, on one thread, over those of PIL, torchvision's transforms and a "
            "DataLoader in float32. Processor time, both sides in turn."
        ),
        backs=("recipes.md",),
        claims=claims.trial_speed,
    ),
    Entry(
        record="utilisation",
        program="benchmarks.utilisation",
        arguments=("second", "--repeats", "1"),
        minutes=1.6,
        title="How busy the workers are",
        compares="Device seconds over slot seconds of real sweeps on two workers, as `shortlist status` says them.",
        backs=("scale.md",),
        claims=claims.utilisation,
    ),
    Entry(
        record="segment_switch",
        program="benchmarks.segment_switch",
        arguments=("--repeats", "2", "--trials", "60"),
        minutes=1.3,
        title="From one segment to the next",
        compares=(
            "Trials that sleep, through Ray on two workers: our driver, and plain Ray Tune that reuses actors, under the same rungs, in "
            "turn. A ratio above 1 speaks for us."
        ),
        backs=("scale.md",),
        claims=claims.segment_switch,
    ),
    Entry(
        record="driver_scale",
        program="benchmarks.driver_scale",
        arguments=("--repeats", "2", "--ray-repeats", "1", "--trials", "300", "--peer-trials", "300", "--new-actor-trials", "4"),
        minutes=2.5,
        title="What the search itself costs",
        compares=(
            "The engine alone; the engine with its journal over 10,000 trials; the reading of a large journal at a restart; and trials "
            "that do nothing through Ray, beside plain Ray Tune with its own ASHA."
        ),
        backs=("scale.md", "operations.md"),
        claims=claims.driver_scale,
    ),
    Entry(
        record="plan_accuracy",
        program="benchmarks.plan_accuracy",
        arguments=("--repeats", "2", "--calibrate-seconds", "8"),
        minutes=1.5,
        title="What a plan foretells",
        compares=(
            "`shortlist plan SWEEP --calibrate` on the digits sweep, then the sweep itself. With `--data FOLDER` CIFAR-10 is measured, "
            "too; a longer calibration is nearer."
        ),
        backs=("operations.md",),
        claims=claims.plan_accuracy,
    ),
    Entry(
        record="review_speed",
        program="benchmarks.review_speed",
        arguments=("commands", "--repeats", "2"),
        minutes=0.7,
        title="Commands that look at a sweep",
        compares="Wall time of the commands, each in a process of its own, on a finished sweep in which every trial was trained in full.",
        backs=("operations.md",),
        claims=claims.review_speed,
    ),
    Entry(
        record="report_speed",
        program="benchmarks.report_speed",
        arguments=("--repeats", "2"),
        minutes=0.6,
        title="The report",
        compares="The report of a sweep in which every trial was trained in full: to build, to send, to open in headless Chromium.",
        backs=("report.md",),
        claims=claims.report_speed,
    ),
    Entry(
        record="serve_load",
        program="benchmarks.serve_load",
        arguments=("--repeats", "2", "--seconds", "8"),
        minutes=0.6,
        title="Many watch a running sweep",
        compares="A driver with nobody watching and with 50 clients on the server's event stream, in turn; all on the same cores.",
        backs=("operations.md",),
        claims=claims.serve_load,
    ),
    Entry(
        record="storage",
        program="benchmarks.storage",
        arguments=("--repeats", "3", "--appends", "200"),
        minutes=0.1,
        title="What a decision waits for",
        compares=(
            "One synced append to the journal, in a folder and on an object store. The store is a server on this machine: what is "
            "measured is our own side, next to no network. `--bucket NAME` measures a real one."
        ),
        backs=("operations.md",),
        claims=claims.storage,
    ),
    Entry(
        record="replay-suite",
        program="benchmarks.replay",
        arguments=(TABLES, "--workers", "4", "--repeats", "4", "--methods", "random,ray-asha,shortlist-default", "-o", "json"),
        minutes=0.2,
        title="Search on recorded curves, few orders",
        compares=(
            "The measurement below with 4 random orders and three methods: enough to see that nothing broke, too few for the goals."
        ),
        backs=("search.md",),
        claims=claims.replay_of_few_orders,
    ),
    Entry(
        record="samplers",
        program="benchmarks.samplers",
        arguments=(
            "--problems", "currin,layers,under-a-product", "--repeats", "10", "--gp-repeats", "2", "--trainings", "12",
            "-o", "json",
        ),
        minutes=0.4,
        title="Samplers",
        compares=(
            "Our model, Optuna's TPE and Gaussian process, and random search under one scheduler on test functions made into learning "
            "curves. Below 1 is better than random search."
        ),
        backs=("samplers.md",),
        claims=claims.samplers,
    ),
    Entry(
        record="replay-4-workers",
        program="benchmarks.replay",
        arguments=(TABLES, "--workers", "4", "--repeats", "200", "-o", "json"),
        minutes=200,
        title="Search on recorded curves",
        compares=(
            "Learning curves of six real sweeps replayed in simulated time with 200 random orders: our engine and samplers, and the "
            "decision code of Ray, Optuna and Syne Tune. Below 1 is better than Ray's ASHA; intervals are 95 % of bootstraps."
        ),
        backs=("search.md",),
        claims=claims.replay,
        because="200 orders of every method take hours",
    ),
    Entry(
        record="trial_speed-gpu",
        program="benchmarks.trial_speed_gpu",
        arguments=("--data", DATA),
        minutes=7,
        title="A training loop on a GPU",
        compares=(
            "Images a second as production trains, with CUDA graphs and without, and those of the tutorial loop with four DataLoader "
            "processes."
        ),
        backs=("operations.md",),
        claims=claims.trial_speed_gpu,
        because="needs a GPU; benchmarks/gpu.sh runs it",
    ),
)  # fmt: skip

# Programs of benchmarks/ that make no record, with the reason.
NO_RECORD: Mapping[str, str] = {
    "render": "writes docs/benchmarks.md from the records",
    "replay_figure": "draws the record of a replay",
    "studies": "runs the five studies on real images, some hours; its page is docs/studies.md",
    "suite": "runs the others",
    "trivial_trials": "one side of driver_scale and segment_switch, to be looked at alone",
    "tutorial_peer": "one side of tutorial_way",
}
