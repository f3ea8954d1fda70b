"""Pictures of the report: planes through the CT with thin outlines, as data first, then as SVG or RGB."""
