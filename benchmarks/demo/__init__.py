"""The main job on a few sounds: embed a folder and see what is near to what."""
