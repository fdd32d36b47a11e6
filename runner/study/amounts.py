"""Amounts in words."""


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural where that is due."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def dollars_spent(micro_usd: int, estimated: int) -> str:
    """What was spent, in words, and how much of it nobody has confirmed; both in millionths of a dollar."""
    spent = f"${micro_usd / 1e6:.4f} spent"
    return f"{spent}, ${estimated / 1e6:.4f} of it estimated because usage was not reported" if estimated else spent
