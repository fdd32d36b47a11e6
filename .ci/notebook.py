"""docs/how-to/analyse.ipynb, which is analyse.py run cell by cell on the default study's results, and its page.

python .ci/notebook.py FOLDER    runs it where FOLDER/mtpa.toml has run, and writes both
python .ci/notebook.py           writes the page of the notebook as it is
"""

import re
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HOW_TO = Path(__file__).parents[1] / "docs" / "how-to"
PROGRAM, NOTEBOOK, PAGE = (HOW_TO / name for name in ("analyse.py", "analyse.ipynb", "notebook.md"))
TOP = """<!-- Made from analyse.ipynb by .ci/notebook.py: change analyse.py. -->

This is [analyse.ipynb](analyse.ipynb) as it ran on the results of the default study, which `make run` leaves in
`results/`. Its cells are those of [analyse.py](analyse.py).
"""


def cells(program: str) -> list[Any]:
    """The cells of a program in the percent format: a heading, then the code under it."""
    (about, *parts) = re.split(r"^# %% (.*)\n", program, flags=re.MULTILINE)
    made = [nbformat.v4.new_markdown_cell(f"# The default study's results in pandas\n\n{about.strip().strip(chr(34))}")]
    for title, code in zip(parts[::2], parts[1::2], strict=True):
        made += [nbformat.v4.new_markdown_cell(f"## {title}"), nbformat.v4.new_code_cell(code.strip())]
    for number, cell in enumerate(made):
        cell["id"] = f"cell-{number}"
    return made


def executed(folder: Path) -> Any:
    """The notebook, run in a folder; nothing in it says where or when."""
    book = nbformat.v4.new_notebook(cells=cells(PROGRAM.read_text(encoding="utf-8")))
    NotebookClient(book, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    for cell in book.cells:
        cell["metadata"] = {}
    book["metadata"] = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return book


def page(book: Any) -> str:
    """The notebook as Markdown: its texts, its code, and what that printed."""
    parts = [book.cells[0].source, TOP.strip()]
    for cell in book.cells[1:]:
        parts.append(cell.source if cell.cell_type == "markdown" else f"```py\n{cell.source}\n```")
        printed = "".join(each.get("text", "") for each in cell.get("outputs", []))
        parts += [f"```text\n{printed.rstrip()}\n```"] if printed.strip() else []
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    if sys.argv[1:]:
        NOTEBOOK.write_text(nbformat.writes(executed(Path(sys.argv[1]))) + "\n", encoding="utf-8")
    PAGE.write_text(page(nbformat.reads(NOTEBOOK.read_text(encoding="utf-8"), as_version=4)), encoding="utf-8")
