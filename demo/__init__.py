"""The main job, played on one machine with the public command line and stock programs only."""
