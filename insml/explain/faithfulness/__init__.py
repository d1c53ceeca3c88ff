"""Tests that maps have to pass before anybody believes them: pure functions of maps, scores and truths."""

from insml.explain.faithfulness.baselines import edges, random_ranks
from insml.explain.faithfulness.curves import Areas, areas, curve, pixel_ranks, sigmas_above, slice_ranks
from insml.explain.faithfulness.pointing import pointing, rank_correlation, recall, truth_set
from insml.explain.faithfulness.randomisation import blocks_from_the_top, cascade, randomisation

__all__ = ["Areas", "areas", "blocks_from_the_top", "cascade", "curve", "edges", "pixel_ranks", "pointing", "random_ranks",
           "randomisation", "rank_correlation", "recall", "sigmas_above", "slice_ranks", "truth_set"]
