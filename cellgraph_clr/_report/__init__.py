"""One self-contained page about cells: maps to click in, and sections to read and print. `writing.report` is its face.

Flow: `subset` (which cells) -> `contents` (arrays and words of the interactive part, by `columns`, `vectors`, `edges` and
`pictures`) -> `blocks` (base64 of compressed arrays) and sections (`about_data`, `about_graph`, …, by `parts` and `charts`) ->
`assembly` (one file from the template, styles and scripts in `page/`, and what is in `vendor/`).
"""
