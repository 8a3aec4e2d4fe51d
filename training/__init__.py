"""From fMRI and audio to checkpoints; run from a checkout as ``python -m training``.

The rooms and what flows between them; each imports only what stands above it in the flow, and
`lint-imports` holds them to that (pyproject.toml)::

    sources (fMRIPrep, CNeuroMod, tables, arrays)     simulation (brains whose truth is known)
          \\_______________  ________________________________/
                          \\/
                       prepare  ->  data (prepared datasets: audio, responses, splits)
                                      |
    corpus  ->  pretraining  ->   fitting  (a recipe to a trained network)  ->  checkpoints
       \\_____>  teachers __/          |
                            evaluation, statistics  ->  partition
                                      |
                            maps  ->  report

`commands` and `cli` are the command line; `recipes` are settings to begin with.
"""
