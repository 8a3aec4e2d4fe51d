"""Sound files as pipes, joiners and rippers leave them, made of those that libraries write."""

import io
import struct

import numpy as np
import soundfile

RATE = 44_100
BURST = 1.0  # seconds, where the loud part begins


def samples(seconds=2.0, rate=RATE, seed=0):
    """Faint noise with 50 ms of loud noise at 1 s, float32 ``(n_samples,)``."""
    generator = np.random.default_rng(seed)
    sound = generator.standard_normal(int(seconds * rate)) * 1e-3
    burst = slice(int(BURST * rate), int((BURST + 0.05) * rate))
    sound[burst] += generator.standard_normal(burst.stop - burst.start) * 0.3
    return np.clip(sound, -0.99, 0.99).astype(np.float32)


def encoded(kind, subtype=None, rate=RATE, sound=None):
    buffer = io.BytesIO()
    sound = samples(rate=rate) if sound is None else sound
    soundfile.write(buffer, sound, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def wav(sound, riff=b"RIFF", riff_size=0, data_size=0, chunks=b""):
    """16-bit mono WAV whose two sizes are what one wants them to be."""
    form = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))
    data = np.rint(sound * 32767).astype("<i2").tobytes()
    head = riff + struct.pack("<I", riff_size) + b"WAVE" + chunks + form
    return head + b"data" + struct.pack("<I", data_size) + data


def ds64(n_bytes, n_samples):
    """The chunk of RF64 and BW64 with the sizes that do not fit into 32 bits."""
    return chunk(b"ds64", struct.pack("<QQQI", n_bytes + 72, n_bytes, n_samples, 0))


def without_length_header(mp3):
    """An MP3 that LAME wrote (MPEG 1, 128 kbit/s or another rate), less its first frame."""
    header = int.from_bytes(mp3[:4])
    kbits = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)[(header >> 12 & 15) - 1]
    rate = (44_100, 48_000, 32_000)[header >> 10 & 3]
    length = 144_000 * kbits // rate + (header >> 9 & 1)
    assert mp3[:length].find(b"Info") > 0 or mp3[:length].find(b"Xing") > 0
    assert mp3[length : length + 2] == mp3[:2]
    return mp3[length:]


def flac_of_unknown_length():
    content = bytearray(encoded("FLAC", "PCM_16"))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    return bytes(content)


def id3(n_bytes):
    size = bytes(n_bytes >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + bytes(n_bytes)


def burst_time(sound, rate):
    """Seconds at which the loud part begins."""
    return float(np.argmax(np.abs(sound) > 0.1)) / rate
