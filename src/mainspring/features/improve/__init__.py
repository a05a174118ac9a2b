"""The loop: feedback becomes something better that is served, by itself, traceable and undoable."""
