"""Model-brain correspondence by stage, for any network.

The method of Tuckute, Feather, Boebinger & McDermott 2023 (PLoS Biology 21, e3002366):
time-averaged activations of every stage of a network, ridge regression to the response of each
voxel or component to the same sounds, representational similarity, and baselines.
"""
