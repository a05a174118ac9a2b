"""The model for other places: as a graph that OpenVINO runs on phones, in browsers and at the edge."""
