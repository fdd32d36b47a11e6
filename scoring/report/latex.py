"""A table in LaTeX with booktabs rules."""

import pandas as pd

_SPECIAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "Δ": r"$\Delta$",
    "×": r"$\times$",
    "−": "$-$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
}


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(_SPECIAL.get(character, character) for character in text)


def latex_table(table: pd.DataFrame, caption: str, incomplete: str = "") -> str:
    """A booktabs `table` of a data frame: numbers right-aligned with three decimals, NaN as a dash. What is missing
    opens the file and the caption."""
    types = pd.api.types
    numeric = [types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype) for dtype in table.dtypes]
    columns = "".join("r" if number else "l" for number in numeric)
    head = " & ".join(escape_latex(str(name).replace("_", " ")) for name in table.columns)
    rows = [" & ".join(_cell(value) for value in row) + r" \\" for row in table.itertuples(index=False, name=None)]
    caption = f"{incomplete}. {caption}" if incomplete else caption
    first = [f"% {incomplete}"] if incomplete else []
    start = [
        *first,
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape_latex(caption)}}}",
    ]
    body = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head + r" \\", r"\midrule", *rows, r"\bottomrule"]
    return "\n".join([*start, *body, r"\end{tabular}", r"\end{table}", ""])


def _cell(value: object) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return "--"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if value == int(value) and abs(value) >= 1 else f"${value:.3f}$"
    return escape_latex(str(value))
