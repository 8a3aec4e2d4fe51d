"""What might make the network faster: each idea measured against the plain network, and judged.

All take turns on the same clip at the network's own rate, through all seven layers. What is in use
is marked; the rest was dropped for its number, or for what it would cost.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.speed.embedding import relative_difference
from benchmarks.speed.lead_networks import plain_above, two_dimensional
from benchmarks.speed.lead_pieces import pooling_ways, resampling_in_one
from benchmarks.speed.turns import Comparison, take_turns
from hear_brainsoundnet import fast
from hear_brainsoundnet.embedding import SAMPLES_PER_PASS, EmbeddingModel
from hear_brainsoundnet.fast import FastSoundNet
from hear_brainsoundnet.named import load_checkpoint
from hear_brainsoundnet.resampling import N_BANDS, Resampler
from hear_brainsoundnet.soundnet import SoundNet
from training.prepared import INT16_SCALE

RATE = 22_050  # Hz, the network's own
HEAR_RATE = 48_000  # Hz
LAST = "conv7"
NUMBERS = (2**14, 2**16, 2**18, 2**20, 2**22, 2**24)  # per product
PASSES = (2**16, 2**18, 2**20, 2**21, 2**22)  # samples per pass
DURATIONS = (10.0, 60.0)  # s


@dataclass(frozen=True)
class Lead:
    """One idea.

    Attributes
    ----------
    name : str
        In words.
    run : callable
        Does the work and returns the activations of conv7, or None where there is nothing to
        compare.
    in_use : bool
        Whether the package works like this.
    against : str
        The lead that it is to be faster than.
    """

    name: str
    run: Callable[[], Tensor | None]
    in_use: bool = False
    against: str = "plain network"


@dataclass(frozen=True)
class LeadSpeed:
    """A lead with its times, and the difference of its result as a share of the range."""

    name: str
    against: str
    in_use: bool
    compared: Comparison
    difference: float | None

    def row(self) -> dict[str, object]:
        """A line of the results page."""
        difference = "" if self.difference is None else f"{self.difference:.1e}"
        return {
            "lead": self.name,
            "against": self.against,
            **self.compared.speedup_cells(),
            "difference / range": difference,
            "in use": "yes" if self.in_use else "no",
        }


def measure_leads(
    duration: float, n_rounds: int = 5, seed: int = 0, *, compiled: bool = True
) -> tuple[list[LeadSpeed], list[str]]:
    """Time each lead in turn with what it is to beat, on a clip of noise.

    Parameters
    ----------
    duration : float
        Of the clip, in seconds.
    compiled : bool
        Whether to try ``torch.compile``, which takes a minute and needs a C++ compiler.

    Returns
    -------
    list of LeadSpeed, list of str
        What was measured, and what does not work here, with its reason.

    Raises
    ------
    ValueError
        If there is no round.
    """
    generator = torch.Generator().manual_seed(seed)
    noise = 0.1 * torch.randn(1, round(duration * RATE), generator=generator)
    audio = (noise * INT16_SCALE).round() / INT16_SCALE  # so that 16 bits lose nothing
    leads = [*network_leads(audio), *surrounding_leads(duration), *piece_leads()]
    if compiled:
        leads += compiled_leads(audio)
    found, failed = [], []
    with torch.no_grad():
        by_name = {lead.name: lead for lead in leads}
        for lead in leads:
            if lead.against == lead.name:
                continue
            plain = by_name[lead.against]
            try:
                result, expected = lead.run(), plain.run()
            except Exception as error:  # a lead that does not run here is a finding
                failed.append(f"{lead.name}: {type(error).__name__}: {str(error).splitlines()[0]}")
                continue
            compared = take_turns(plain.run, {"lead": lead.run}, n_rounds)["lead"]
            difference = None
            if result is not None and expected is not None:
                difference = relative_difference(result.float(), expected.float())
            found.append(LeadSpeed(lead.name, lead.against, lead.in_use, compared, difference))
    return found, failed


def network_leads(audio: Tensor) -> list[Lead]:
    """Other ways through the same layers."""
    soundnet = load_checkpoint("untrained").build_soundnet().eval().requires_grad_(False)
    blocked, mixed = FastSoundNet(soundnet), plain_above(soundnet, "pool2", LAST)
    half = FastSoundNet(copy.deepcopy(soundnet).bfloat16())
    integers = (audio * INT16_SCALE).round().to(torch.int16)
    flat, last = two_dimensional(soundnet)
    n_threads = torch.get_num_threads()
    two = "blocked products"

    def with_numbers(n_numbers: int) -> Callable[[], Tensor]:
        def run() -> Tensor:
            with _constants(NUMBERS_AT_ONCE=n_numbers):
                return blocked(audio, [LAST])[LAST]

        return run

    return [
        Lead("plain network", lambda: soundnet(audio, [LAST])[LAST], against="plain network"),
        Lead(two, lambda: blocked(audio, [LAST])[LAST], in_use=True),
        *(
            Lead(
                f"{n_numbers} numbers per product",
                with_numbers(n_numbers),
                in_use=n_numbers == fast.NUMBERS_AT_ONCE,
                against=two,
            )
            for n_numbers in NUMBERS
        ),
        Lead(
            "rows of single outputs",
            _made_with(soundnet, audio, MOST_EXTRA=1.0),
            against=two,
        ),
        Lead(
            "whole pooling windows in a row",
            _made_with(soundnet, audio, MOST_EXTRA=2.0),
            against=two,
        ),
        Lead(
            "one product for all that a row hears",
            _made_with(soundnet, audio, NARROWEST=float("inf")),
            against=two,
        ),
        Lead(
            "convolutions from conv3 on, BatchNorm folded",
            lambda: mixed(audio),
            against=two,
        ),
        Lead(
            f"one thread instead of {n_threads}",
            _on_threads(1, lambda: blocked(audio, [LAST])[LAST], n_threads),
            against=two,
        ),
        Lead("bfloat16", lambda: half(audio.bfloat16(), [LAST])[LAST], against=two),
        Lead(
            "int16 input",
            lambda: blocked(integers.float() / INT16_SCALE, [LAST])[LAST],
            against=two,
        ),
        Lead("dummy axis, channels last", lambda: flat(last(audio))[..., 0]),
    ]


def surrounding_leads(duration: float) -> list[Lead]:
    """What stands around the network: passes and resampling, on clips from 48 kHz."""
    checkpoint = load_checkpoint("untrained")
    generator = torch.Generator().manual_seed(1)
    audio = 0.1 * torch.randn(1, round(duration * HEAR_RATE), generator=generator)
    fixed = Resampler(HEAR_RATE, RATE)
    models = {
        n: EmbeddingModel(checkpoint, sample_rate=HEAR_RATE, preset="paper", samples_per_pass=n)
        for n in PASSES
    }

    def scene(n: int) -> Callable[[], Tensor]:
        return lambda: models[n](audio)

    def anew() -> Tensor:
        return Resampler(HEAR_RATE, RATE)(audio)

    whole = f"{SAMPLES_PER_PASS} samples per pass"
    in_one = "resampling in one convolution"
    return [
        *(
            Lead(f"{n} samples per pass", scene(n), in_use=n == SAMPLES_PER_PASS, against=whole)
            for n in PASSES
        ),
        Lead("resampler built at each call", anew, against="resampler built at each call"),
        Lead(
            "resampler built once",
            lambda: fixed(audio),
            in_use=True,
            against="resampler built at each call",
        ),
        Lead(in_one, lambda: resampling_in_one(fixed, audio), against=in_one),
        Lead(
            f"resampling by products of {N_BANDS} bands",
            lambda: fixed(audio),
            in_use=True,
            against=in_one,
        ),
    ]


def piece_leads() -> list[Lead]:
    """Single steps of the fast way, by themselves."""
    by_amax, by_halves = pooling_ways()
    amax = "pooling of pool1 by amax"
    return [
        Lead(amax, by_amax, against=amax),
        Lead("pooling of pool1 by halves", by_halves, in_use=True, against=amax),
    ]


def compiled_leads(audio: Tensor) -> list[Lead]:
    """The plain network through ``torch.compile``; compiling itself is not timed."""
    soundnet = load_checkpoint("untrained").build_soundnet().eval().requires_grad_(False)
    compiled = torch.compile(lambda sound: soundnet(sound, [LAST])[LAST], dynamic=False)
    return [Lead("torch.compile of the plain network", lambda: compiled(audio))]


def _on_threads(n_threads: int, run: Callable[[], Tensor], before: int) -> Callable[[], Tensor]:
    def threaded() -> Tensor:
        torch.set_num_threads(n_threads)
        try:
            return run()
        finally:
            torch.set_num_threads(before)

    return threaded


@contextmanager
def _constants(**values: float) -> Iterator[None]:
    """Other values of the numbers that the fast way is made with."""
    before = {name: getattr(fast, name) for name in values}
    for name, value in values.items():
        setattr(fast, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(fast, name, value)


def _made_with(soundnet: SoundNet, audio: Tensor, **values: float) -> Callable[[], Tensor]:
    """The fast way with other kernels, which are folded here and kept."""
    network = FastSoundNet(soundnet)
    with _constants(**values):
        network(audio, [LAST])
    return lambda: network(audio, [LAST])[LAST]
