"""The ledger behind a budget: what is left of a cap, over every run of the file."""

import sqlite3


def room_left(connection: sqlite3.Connection, model: int, study_cap: int | None, model_cap: int | None) -> int:
    """What the caps leave after all that is spent and reserved, live and in jobs; call it inside a transaction."""
    amounts = "SELECT model, reserved_micro_usd + settled_micro_usd AS amount FROM"
    spent = f"SELECT coalesce(sum(amount), 0) FROM ({amounts} spend UNION ALL {amounts} job)"
    (everything,) = connection.execute(spent).fetchone()
    (of_model,) = connection.execute(f"{spent} WHERE model = ?", (model,)).fetchone()
    rooms = [cap - used for cap, used in ((study_cap, everything), (model_cap, of_model)) if cap is not None]
    return int(max(0, min(rooms)))
