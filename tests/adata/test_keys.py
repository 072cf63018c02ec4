"""Names in an AnnData: files of other people hold them, so they stay as they are."""

import pytest

from cellgraph_clr.adata import keys


def test_names_are_those_of_files_already_written():
    assert (keys.PACKAGE_KEY, keys.UNASSIGNED, keys.RAW_LAYER) == ("cellgraph_clr", "unassigned", "cellgraph_raw")
    assert keys.EDGE_SLOTS == {"length": "distances", "contact_area": "contact_area", "overlap": "overlap"}
    assert keys.SCHEMA_VERSION == 1


@pytest.mark.parametrize("given", ["near", "near_connectivities", "near_neighbors"])
def test_a_graph_has_one_stem_whichever_of_its_keys_is_given(given):
    assert keys.graph_stem(given) == "near"


def test_only_the_first_graph_has_columns_without_prefix():
    assert keys.obs_prefix("spatial") == ""
    assert keys.obs_prefix("temporal") == "temporal_"
