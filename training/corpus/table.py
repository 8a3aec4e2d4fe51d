"""Text summary of a corpus: hours by source, kind and licence."""

from __future__ import annotations

from training.corpus.corpus import SAMPLE_RATE, Corpus


def describe(corpus: Corpus) -> str:
    """Tables of hours and recordings, the largest first."""
    hours = corpus.recordings["n_samples"] / SAMPLE_RATE / 3600
    parts = [f"{corpus.hours:.2f} hours, {len(corpus)} recordings"]
    for column in ("kind", "licence", "source"):
        groups = hours.groupby(corpus.recordings[column]).agg(["sum", "count"])
        groups = groups.sort_values("sum", ascending=False)
        parts.append(f"\n{'hours':>8} {'recordings':>10}  {column}")
        parts += [
            f"{row['sum']:8.2f} {row['count']:10.0f}  {name}" for name, row in groups.iterrows()
        ]
    n_left_out = sum(len(source.left_out) for source in corpus.manifest.sources)
    n_duplicates = sum(source.n_duplicates for source in corpus.manifest.sources)
    parts.append(f"\n{n_duplicates} files occur twice, {n_left_out} were left out (manifest.json)")
    return "\n".join(parts)
