"""Pictures of the graph: tensor -> description (plain data) -> DOT, picture, step-through page."""
