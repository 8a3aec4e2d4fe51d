"""Band-limited resampling of any slice of a signal, equal to resampling the whole.

The arithmetic is that of :func:`torchaudio.functional.resample` with its default settings (a
Hann-windowed sinc, 6 zero crossings, cut-off at 0.99 of the lower Nyquist frequency). With the two
rates divided by their greatest common divisor, `old` input samples become `new` output samples:
output `j = q * new + r` is a weighted sum of the inputs around ``j * old / new``, with weights that
depend on the phase `r` alone. All phases form one convolution with stride `old`, whose kernel is
computed once. It is zero outside a band: neighbouring phases are computed in one matrix product,
from the inputs they depend on. Because block `q` depends only on the inputs from ``q * old -
width`` to ``(q + 1) * old + width``, any slice of the output can be computed from a slice of the
input.

Rates without a large common divisor (44,099 Hz, for example) would need a kernel of gigabytes. For
these the few non-zero weights of each output sample are computed on the fly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hear_brainsoundnet.modes import is_traced, ordinary_tensors
from hear_brainsoundnet.padding import between_zeros

ZERO_CROSSINGS = 6
ROLLOFF = 0.99
LARGEST_KERNEL = 2**22  # weights; 16 MiB
N_BANDS = 4  # matrix products; one convolution, most weights zero, takes over twice as long
MOST_INPUTS = 2**23  # samples of all clips read at once; 32 MiB
MOST_WEIGHTS = 2**20  # computed at once, in float64

LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000  # Hz


class Resampler(nn.Module):
    """Resampler from `sample_rate` to `target_rate` (Hz), slice by slice.

    Raises
    ------
    ValueError
        If a rate is not a whole number of Hz between 1,000 and 1,000,000.

    Examples
    --------
    >>> resampler = Resampler(48000, 22050)
    >>> resampler.n_out(48000)
    22050
    >>> resampler(torch.zeros(2, 48000)).shape
    torch.Size([2, 22050])
    """

    kernel: Tensor

    def __init__(
        self, sample_rate: int, target_rate: int, *, largest_kernel: int = LARGEST_KERNEL
    ) -> None:
        super().__init__()
        for rate in (sample_rate, target_rate):
            if not isinstance(rate, int) or not LOWEST_RATE <= rate <= HIGHEST_RATE:
                raise ValueError(
                    f"sample rate must be a whole number of Hz from {LOWEST_RATE} to "
                    f"{HIGHEST_RATE}, got {rate!r}"
                )
        divisor = math.gcd(sample_rate, target_rate)
        self.old, self.new = sample_rate // divisor, target_rate // divisor
        self.cutoff = min(self.old, self.new) * ROLLOFF
        self.width = math.ceil(ZERO_CROSSINGS * self.old / self.cutoff)
        taps = 2 * self.width + self.old
        self.identity = self.old == self.new
        self.has_kernel = not self.identity and self.new * taps <= largest_kernel
        with ordinary_tensors():
            kernel = self._kernel() if self.has_kernel else torch.empty(0)
            self._bands = list(_bands(kernel)) if self.has_kernel else []
        self.register_buffer("kernel", kernel, persistent=False)  # (taps, new)

    def _kernel(self) -> Tensor:
        inputs = torch.arange(-self.width, self.width + self.old, dtype=torch.float64)
        phases = torch.arange(self.new, dtype=torch.float64)
        offsets = inputs[None, :] / self.old - phases[:, None] / self.new
        return self._weights(offsets).float().T.contiguous()

    def n_out(self, n_samples: int) -> int:
        """Length of a clip of `n_samples` after resampling."""
        return (n_samples * self.new + self.old - 1) // self.old

    def forward(self, audio: Tensor) -> Tensor:
        """Resample whole clips, shape ``(n_sounds, n_samples)``."""
        if is_traced():
            return self.whole(audio)[:, : self.n_out(audio.shape[1])]

        def read(start: int, stop: int) -> Tensor:
            return audio[:, start:stop]

        return self.slice(read, audio.shape[-1], 0, self.n_out(audio.shape[-1]))

    def slice(
        self, read: Callable[[int, int], Tensor], n_samples: int, start: int, stop: int
    ) -> Tensor:
        """Output samples `start` to `stop` of a clip that is read in chunks.

        Parameters
        ----------
        read : callable
            ``read(i, j)`` returns input samples i to j, shape ``(n_sounds, j - i)``, for ``0 <= i <
            j <= n_samples``; it is called once or, for slices of more than some million inputs,
            several times with `i` ascending.
        n_samples : int
            Length of the clip before resampling; zeros beyond it.
        start, stop : int
            Output range, ``0 <= start < stop <= n_out(n_samples)``.
        """
        if self.identity:
            return read(start, stop)
        step = max(self.new, MOST_INPUTS // self.old * self.new)
        if stop - start > step:  # a high rate: many more inputs than outputs
            pieces = range(start, stop, step)
            return torch.cat(
                [self.slice(read, n_samples, i, min(i + step, stop)) for i in pieces], dim=1
            )
        first_block, stop_block = start // self.new, -(-stop // self.new)
        begin = first_block * self.old - self.width
        end = stop_block * self.old + self.width
        i, j = max(0, begin), min(n_samples, end)
        audio = between_zeros(read(i, j), i - begin, end - begin)
        if self.has_kernel:
            kernel, n_taps = self.kernel.to(audio), len(self.kernel)
            windows = audio.unfold(1, n_taps, self.old)
            parts = [
                windows[..., taps].flatten(0, 1) @ kernel[taps, phases]
                for taps, phases in self._bands
            ]
            blocks = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
            offset = first_block * self.new
            return blocks.reshape(len(audio), -1)[:, start - offset : stop - offset]
        return self._interpolate(audio, begin, start, stop)

    def whole(self, audio: Tensor) -> Tensor:
        """The resampled clip and some further samples, with tensor operations only, for any
        length."""
        if self.identity:
            return audio
        # One block more than needed: with always several blocks, export needs no guard.
        padded = F.pad(audio, (self.width, self.width + 2 * self.old))
        if not self.has_kernel:
            outputs = torch.arange(self.n_out(audio.shape[1]), device=audio.device)
            return self._interpolated(padded, -self.width, outputs)
        kernel = self.kernel.to(audio).T[:, None]
        blocks = F.conv1d(padded[:, None], kernel, stride=self.old)
        return blocks.transpose(1, 2).flatten(1)

    def _interpolate(self, audio: Tensor, begin: int, start: int, stop: int) -> Tensor:
        """The same weighted sums without a kernel table."""
        at_once = max(1, MOST_WEIGHTS // (2 * self.width + 1))
        pieces = [
            torch.arange(piece, min(stop, piece + at_once), device=audio.device)
            for piece in range(start, stop, at_once)
        ]
        return torch.cat([self._interpolated(audio, begin, outputs) for outputs in pieces], dim=1)

    def _interpolated(self, audio: Tensor, begin: int, outputs: Tensor) -> Tensor:
        """Output samples, each from the inputs near it; `audio` begins at input `begin`."""
        taps = torch.arange(-self.width, self.width + 1, device=audio.device)
        nearest = outputs * self.old // self.new
        inputs = nearest[:, None] + taps
        # offset = input / old - output / new, in whole numbers up to the last division
        numerators = inputs * self.new - outputs[:, None] * self.old
        weights = self._weights(numerators.double() / (self.old * self.new)).to(audio)
        return (audio[:, inputs - begin] * weights).sum(-1)

    def _weights(self, offsets: Tensor) -> Tensor:
        """Windowed sinc at `offsets` (in units of the common period), float64."""
        t = (offsets * self.cutoff).clamp(-ZERO_CROSSINGS, ZERO_CROSSINGS)
        window = torch.cos(t * math.pi / ZERO_CROSSINGS / 2) ** 2
        return torch.sinc(t) * window * (self.cutoff / self.old)


def _bands(kernel: Tensor) -> Iterator[tuple[slice, slice]]:
    """Non-zero taps, for groups of neighbouring phases."""
    for part in torch.arange(kernel.shape[1]).chunk(N_BANDS):
        phases = slice(int(part[0]), int(part[-1]) + 1)
        taps = kernel[:, phases].any(dim=1).nonzero()
        yield slice(int(taps[0]), int(taps[-1]) + 1), phases
